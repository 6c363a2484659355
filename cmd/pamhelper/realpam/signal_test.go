package realpam_test

import (
	"context"
	"errors"
	"os"
	"strconv"
	"syscall"
	"testing"

	"github.com/pamhelper/pamhelper/pkg/ipc"
)

// ofRFC4254 are the signals that an SSH client can ask for, with Linux's numbers.
var ofRFC4254 = []syscall.Signal{
	syscall.SIGABRT, syscall.SIGALRM, syscall.SIGFPE, syscall.SIGHUP, syscall.SIGILL, syscall.SIGINT, syscall.SIGKILL,
	syscall.SIGPIPE, syscall.SIGQUIT, syscall.SIGSEGV, syscall.SIGTERM, syscall.SIGUSR1, syscall.SIGUSR2,
}

func TestEverySignalReachesAProcessAndItsGroup(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	client, _ := g.open()
	for _, signal := range ofRFC4254 {
		p, child := start(t, client, "sleep 1000 & echo ready $!; exec sleep 1000")
		if err := p.Signal(signal); err != nil {
			t.Errorf("%v: %v", signal, err)
		}
		if exit, err := p.Wait(t.Context()); err != nil || exit.Signal != signal || exit.Status != -1 {
			t.Errorf("%v: ended with %+v, %v; want that signal", signal, exit, err)
		}
		// A shell's child in the background ignores what a keyboard sends.
		if signal != syscall.SIGINT && signal != syscall.SIGQUIT {
			gone(t, child[0])
		}
		if err := p.Signal(signal); !errors.Is(err, os.ErrProcessDone) {
			t.Errorf("%v behind its end: got %v, want %v", signal, err, os.ErrProcessDone)
		}
		p.Master.Close()
	}
}

func TestASignalToAProcessThatHasEndedReachesNobody(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	w := g.wire()
	files := toSend(t, 3)
	w.say(startRequest("exit 2", 3), files.files...)
	w.runs(2)
	for _, signal := range ofRFC4254 {
		w.say(signalRequest(1, int32(signal)))
	}
	// Its end and the signals cross on the way, a hundred times.
	for number := uint32(2); number < 102; number++ {
		w.say(startRequest("exit 3", 3), files.files...)
		if event, _ := w.event(); event.GetStarted().GetProcess().GetNumber() != number {
			t.Fatalf("got %v, want process %d", event, number)
		}
		w.say(signalRequest(number, int32(syscall.SIGTERM)))
		event, _ := w.event()
		if e := event.GetExited(); e.GetProcess() != number || e.GetStatus() != 3 && e.GetSignal() != uint32(syscall.SIGTERM) {
			t.Errorf("got %v, want the end of process %d, with 3 or SIGTERM", event, number)
		}
	}
	files.closed()
}

func TestASignalThatCannotBeMeantEndsTheLogin(t *testing.T) {
	for name, request := range map[string][2]int32{
		"process 0":                  {0, int32(syscall.SIGTERM)},
		"a number never given out":   {2, int32(syscall.SIGTERM)},
		"a process id":               {-1, int32(syscall.SIGTERM)},
		"no signal":                  {1, 0},
		"a signal that is not named": {1, int32(syscall.SIGSTOP)},
		"a signal that there is not": {1, 1000},
		"a negative signal":          {1, -9},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newGround(t).wire()
			files := toSend(t, 3)
			w.say(startRequest("sleep 1000", 3), files.files...)
			if event, _ := w.event(); event.GetStarted().GetProcess() == nil {
				t.Fatalf("got %v, want a process", event)
			}
			w.say(signalRequest(uint32(request[0]), request[1]))
			w.violates("a signal to a process that was never started, or one that has no number")
			files.closed()
		})
	}
}

func TestASignalReachesWhatAProcessLeftInItsGroup(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	w := g.wire()
	out, null := pipe(t), toSend(t, 2)
	w.say(startRequest("sleep 1000 </dev/null >/dev/null 2>&1 & echo ready $!", 3), null.files[0], out.w, null.files[1])
	out.w.Close()
	left := readied(t, out.r)
	w.runs(0)
	if !alive(left[0]) {
		t.Error("what the process left has ended with it")
	}
	w.say(signalRequest(1, int32(syscall.SIGTERM)))
	gone(t, left[0])
	null.closed()
}

func TestTwoHundredAndFiftySixProcessesRunAtOnce(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	client, log := g.open()
	worker := pidOf(t, log)
	before := openFiles(t, worker)
	const most = 256
	var running []*ipc.Process
	for i := range most {
		command := ipc.Command{Line: "exec sleep 1000"}
		if i%4 == 0 {
			command.Terminal = &ipc.Terminal{}
		}
		p, err := client.Start(t.Context(), command)
		if err != nil {
			t.Fatalf("process %d: %v", i+1, err)
		}
		if p.Master != nil {
			defer p.Master.Close()
		}
		running = append(running, p)
	}
	if n := len(processesOf(g.uid)); n != most {
		t.Errorf("%d processes of the user, want %d", n, most)
	}
	_, err := client.Start(t.Context(), ipc.Command{Line: "true"})
	if want := "256 processes of this login have not ended yet, together with what they left running; no more are started"; !errors.Is(err, ipc.ErrNotStarted) || err.Error() != want {
		t.Errorf("process %d: got %v, want %q", most+1, err, want)
	}
	for i, p := range running[:200] {
		if err := p.Signal(syscall.SIGKILL); err != nil {
			t.Error(err)
		}
		if exit, err := p.Wait(t.Context()); err != nil || exit.Signal != syscall.SIGKILL {
			t.Errorf("process %d ended with %+v, %v; want SIGKILL", i+1, exit, err)
		}
	}
	if o := runIn(t, client, "echo one more", ""); o.stdout != "one more\n" {
		t.Errorf("with room again: got %+v, want the process to run", o)
	}
	if _, err := client.Do(t.Context(), ipc.CloseSession); err != nil {
		t.Error(err)
	}
	for i, p := range running[200:] {
		if exit, err := p.Wait(t.Context()); err != nil || exit.Signal != syscall.SIGHUP {
			t.Errorf("process %d ended with %+v, %v; want SIGHUP", i+201, exit, err)
		}
	}
	eventually(t, func() bool { return openFiles(t, worker) == before }, "the worker's descriptors: %d as before", before)
}

func TestHundredsOfProcessesOneAfterTheOther(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	client, log := g.open()
	worker := pidOf(t, log)
	var before int
	for i := range 400 {
		command := ipc.Command{Line: "exit " + strconv.Itoa(i%256)}
		if i%8 == 0 {
			command.Terminal = &ipc.Terminal{}
		}
		p, err := client.Start(t.Context(), command)
		if err != nil {
			t.Fatalf("process %d: %v", i+1, err)
		}
		if exit, err := p.Wait(t.Context()); err != nil || exit.Status != i%256 || p.Number != i+1 {
			t.Fatalf("process %d has number %d and ended with %+v, %v; want status %d", i+1, p.Number, exit, err, i%256)
		}
		if p.Master != nil {
			p.Master.Close()
		}
		if i == 20 {
			before = openFiles(t, worker)
		}
	}
	// The watching goroutine of the last one may just be closing its own.
	eventually(t, func() bool { return openFiles(t, worker) <= before }, "the worker's descriptors: %d as after 20 processes", before)
	eventually(t, func() bool { return children(t, worker) == "" }, "a worker without children")
}

// children are the processes that a process has to wait for.
func children(t *testing.T, pid int) string {
	t.Helper()
	return readFile(t, "/proc/"+strconv.Itoa(pid)+"/task/"+strconv.Itoa(pid)+"/children")
}

// What sends a signal for the worker has the user's rights, and so the user has
// rights over it.
func TestAUserWhoStopsWhatSendsASignalDoesNotStopTheWorker(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	client, _ := g.open()
	p, err := client.Start(t.Context(), ipc.Command{Line: "trap : USR1; while :; do sleep 1000; done"})
	if err != nil {
		t.Fatal(err)
	}
	start(t, client, "echo ready; while :; do kill -STOP -1; done")
	for range 1000 {
		if err := p.Signal(syscall.SIGUSR1); err != nil && !errors.Is(err, os.ErrProcessDone) {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if _, err := client.Do(ctx, ipc.CloseSession, ipc.End); err != nil {
		t.Errorf("got %v, want the session to be closed", err)
	}
}
