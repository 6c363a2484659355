package realpam_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/pamhelper/pamhelper/pkg/ipc"
	pb "github.com/pamhelper/pamhelper/proto"
)

// binary is ten million bytes of every value, and no text in any encoding.
func binary() []byte {
	content := make([]byte, 10<<20)
	source := rand.NewChaCha8([32]byte{1})
	source.Read(content)
	return content
}

func TestTenMegabytesGoThroughACommandUnchanged(t *testing.T) {
	content := binary()
	for _, c := range []struct {
		name string
		pair func(*testing.T) ends
	}{{"pipes", pipe}, {"sockets", sockets}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			client, _ := newGround(t).open()
			stdin, stdout := c.pair(t), c.pair(t)
			p, err := client.Start(t.Context(), ipc.Command{Line: "tee /dev/stderr | cat", Stdin: stdin.r, Stdout: stdout.w})
			if err != nil {
				t.Fatal(err)
			}
			stdin.r.Close()
			stdout.w.Close()
			var writing sync.WaitGroup
			writing.Go(func() { stdin.w.Write(content); stdin.w.Close() })
			got, err := io.ReadAll(stdout.r)
			writing.Wait()
			if err != nil || !bytes.Equal(got, content) {
				t.Errorf("got %d bytes, %v, equal %v; want the %d that were written", len(got), err, bytes.Equal(got, content), len(content))
			}
			if exit, err := p.Wait(t.Context()); err != nil || exit.Status != 0 {
				t.Errorf("ended with %+v, %v; want status 0", exit, err)
			}
		})
	}
}

// sockets is a pair of connected sockets, used in one direction.
func sockets(t *testing.T) ends {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	pair := ends{os.NewFile(uintptr(fds[0]), "read"), os.NewFile(uintptr(fds[1]), "write")}
	t.Cleanup(func() { pair.r.Close(); pair.w.Close() })
	return pair
}

func TestACommandThatClosesItsInputEarly(t *testing.T) {
	for name, line := range map[string]string{"at once": "exec <&-; echo done", "after a line": "head -c 10 >/dev/null; echo done"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, _ := newGround(t).open()
			stdin, stdout := pipe(t), pipe(t)
			p, err := client.Start(t.Context(), ipc.Command{Line: line, Stdin: stdin.r, Stdout: stdout.w})
			if err != nil {
				t.Fatal(err)
			}
			stdin.r.Close()
			stdout.w.Close()
			written := make(chan error, 1)
			go func() {
				_, err := stdin.w.Write(binary())
				written <- err
			}()
			if got, err := io.ReadAll(stdout.r); err != nil || string(got) != "done\n" {
				t.Errorf("got %q, %v; want done", got, err)
			}
			if exit, err := p.Wait(t.Context()); err != nil || exit.Status != 0 {
				t.Errorf("ended with %+v, %v; want status 0", exit, err)
			}
			if err := <-written; !errors.Is(err, unix.EPIPE) {
				t.Errorf("writing on: got %v, want %v", err, unix.EPIPE)
			}
		})
	}
}

func TestDescriptorsThatNoProcessCanBeStartedWith(t *testing.T) {
	for _, c := range []struct {
		name     string
		n        int
		terminal bool
		says     string
	}{
		{"none", 0, false, "0 descriptors came; a process without a terminal needs 3"},
		{"too few", 2, false, "2 descriptors came; a process without a terminal needs 3"},
		{"with a terminal", 3, true, "3 descriptors came; a process with a terminal takes none"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newGround(t).wire()
			worker := pidOf(t, &w.log)
			before := openFiles(t, worker)
			files := toSend(t, c.n)
			for range 10 {
				request := startRequest("true", uint32(c.n))
				if c.terminal {
					request.GetStart().Terminal = &pb.Terminal{}
				}
				w.say(request, files.files...)
				w.notStarted(c.says)
			}
			files.closed()
			if after := openFiles(t, worker); after != before {
				t.Errorf("descriptors of the worker: got %d, want %d as before", after, before)
			}
			three := toSend(t, 3)
			w.say(startRequest("exit 6", 3), three.files...)
			w.runs(6)
			three.closed()
		})
	}
}

func openFiles(t *testing.T, pid int) int {
	t.Helper()
	return len(names(t, "/proc/"+strconv.Itoa(pid)+"/fd"))
}

func TestDescriptorsThatEndTheLogin(t *testing.T) {
	for _, c := range []struct {
		name     string
		declared uint32
		n        int
		says     string
	}{
		{"more than declared", 1, 3, "3 descriptors with a message that declares 1"},
		{"fewer than declared", 3, 2, "2 descriptors with a message that declares 3"},
		{"none of those declared", 3, 0, "0 descriptors with a message that declares 3"},
		{"undeclared", 0, 1, "1 descriptors with a message that declares 0"},
		{"more than any message has", 4, 4, "more descriptors than a message can have"},
		{"a count of four thousand million", 0xffffffff, 3, "3 descriptors with a message that declares 2147483647"},
		{"as many as the system takes", 253, 253, "more descriptors than a message can have"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newGround(t).wire()
			files := toSend(t, c.n)
			w.say(startRequest("true", c.declared), files.files...)
			w.violates(c.says)
			files.closed()
		})
	}
}

func TestDescriptorsWithOtherRequestsEndTheLogin(t *testing.T) {
	t.Parallel()
	w := newGround(t).wire()
	files := toSend(t, 3)
	w.say(signalRequest(1, 15), files.files...)
	w.violates("3 descriptors with a message that declares 0")
	files.closed()
}

func TestAFrameThatIsCutBehindItsDescriptorsEndsTheLogin(t *testing.T) {
	for _, cut := range []int{1, 4, 5, 9} {
		t.Run(strconv.Itoa(cut), func(t *testing.T) {
			t.Parallel()
			w := newGround(t).wire()
			files := toSend(t, 3)
			frame, err := ipc.AppendFrame(nil, startRequest("true", 3))
			if err != nil {
				t.Fatal(err)
			}
			socket := w.socket.(interface {
				WriteMsgUnix(b, oob []byte, addr *net.UnixAddr) (n, oobn int, err error)
				CloseWrite() error
			})
			var numbers []int
			for _, file := range files.files {
				numbers = append(numbers, int(file.Fd()))
			}
			if _, _, err := socket.WriteMsgUnix(frame[:cut], unix.UnixRights(numbers...), nil); err != nil {
				t.Fatal(err)
			}
			if err := socket.CloseWrite(); err != nil {
				t.Fatal(err)
			}
			w.violates("the connection ended inside a frame")
			files.closed()
		})
	}
}

// fewFiles is a limit that leaves a worker room for a few processes.
const fewFiles = "ulimit -n 60"

func TestAWorkerWithoutFreeDescriptorsSaysSoAndGoesOn(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	g.before(fewFiles)
	client, _ := g.open()
	var running []*ipc.Process
	for {
		p, err := client.Start(t.Context(), ipc.Command{Line: "sleep 1000", Terminal: &ipc.Terminal{}})
		if errors.Is(err, ipc.ErrNotStarted) {
			if !errors.Is(err, unix.EMFILE) {
				t.Errorf("the first that is not started: got %v, want %v", err, unix.EMFILE)
			}
			break
		}
		if err != nil || len(running) > 60 {
			t.Fatalf("process %d: got %v, want that no descriptor is free in the end", len(running)+1, err)
		}
		defer p.Master.Close()
		running = append(running, p)
	}
	if len(running) < 3 {
		t.Errorf("%d processes were started, want some", len(running))
	}
	for range 3 {
		if _, err := client.Start(t.Context(), ipc.Command{Line: "true"}); !errors.Is(err, ipc.ErrNotStarted) {
			t.Errorf("got %v, want nothing started", err)
		}
	}
	for _, p := range running[:2] {
		if err := p.Signal(unix.SIGKILL); err != nil {
			t.Error(err)
		}
		if exit, err := p.Wait(t.Context()); err != nil || exit.Signal != unix.SIGKILL {
			t.Errorf("ended with %+v, %v; want SIGKILL", exit, err)
		}
	}
	if o := runIn(t, client, "echo again", ""); o.stdout != "again\n" {
		t.Errorf("with free descriptors again: got %+v, want the process to run", o)
	}
	if _, err := client.Do(t.Context(), ipc.CloseSession, ipc.End); err != nil {
		t.Error(err)
	}
	waitCalls(t, g.user, whole)
}

func TestAWorkerWhoseAgentTakesAllItsDescriptorsUndoesTheLogin(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	g.before(fewFiles)
	w := g.wire()
	// While the first one is being started, the others wait with theirs.
	files := toSend(t, 3)
	request := startRequest(`trap "" HUP; sleep 1000 & sleep 1000`, 3)
	terminal := startRequest("sleep 1000", 0)
	terminal.GetStart().Terminal = &pb.Terminal{}
	for range 4 {
		for range 3 {
			w.say(terminal)
		}
		w.say(request, files.files...)
	}
	eventually(t, func() bool { return len(processesOf(g.uid)) > 2 }, "some processes")
	w.socket.Close()
	gone(t, pidOf(t, &w.log))
	files.closed()
	waitCalls(t, g.user, whole)
}

// stuck makes the start of a process wait: its home is missing, and there is no
// room to say so. The returned function makes room.
func (g *ground) stuck() (stderr *os.File, release func()) {
	g.t.Helper()
	if err := os.Remove(g.home); err != nil {
		g.t.Fatal(err)
	}
	p := pipe(g.t)
	full := make([]byte, 64<<10)
	if n, err := p.w.Write(full); n < len(full) {
		g.t.Fatal(err)
	}
	return p.w, func() { io.ReadFull(p.r, full) }
}

func TestARequestWhoseDescriptorsAreLostIsNotStarted(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	g.before("ulimit -n 48")
	w := g.wire()
	stderr, release := g.stuck()
	files := toSend(t, 3)
	w.say(startRequest("exit 1", 3), files.files[0], files.files[1], stderr)
	const more = 12 // of three descriptors each: more than the limit has room for
	for range more {
		w.say(startRequest("exit 0", 3), files.files...)
	}
	release()
	lost := 0
	for done := 0; done < 1+more; {
		event, _ := w.event()
		switch text := event.GetStarted().GetNotStarted().GetText(); {
		case strings.Contains(text, "may not have more descriptors open: raise its limit"):
			lost++
			done++
		case text != "", event.GetExited() != nil:
			done++
		}
	}
	if lost == 0 {
		t.Error("no descriptors were lost, want that the agent is told so")
	}
	w.say(startRequest("exit 8", 3), files.files...)
	w.runs(8)
	files.closed()
}

func TestAProcessThatDoesNotBecomeTheShellIsGivenUp(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	client, _ := g.open()
	stderr, _ := g.stuck()
	p, err := client.Start(t.Context(), ipc.Command{Line: "true", Stderr: stderr})
	if !errors.Is(err, ipc.ErrNotStarted) || !strings.Contains(err.Error(), "was not run within 10s") {
		t.Errorf("got %v, %v; want it given up", p, err)
	}
	if left := processesOf(g.uid); len(left) > 0 {
		t.Errorf("processes of the user: %q, want none", describe(left))
	}
	if o := runIn(t, client, "echo on", ""); o.stdout != "on\n" {
		t.Errorf("the session: got %+v, want it to go on", o)
	}
}

func TestDescriptorsBeforeTheSessionIsOpenAreNotTaken(t *testing.T) {
	t.Parallel()
	w := startWorker(t, os.Getuid(), nil)
	conn := ipc.NewConn(w.agent)
	requests := []*pb.Request{
		{Body: &pb.Request_Hello{Hello: &pb.Hello{Version: ipc.Version, Features: []string{ipc.FeatureProcesses}}}},
		{Body: &pb.Request_Begin{Begin: &pb.Begin{Service: "sshd", User: []byte("alice"), Rhost: remote}}},
	}
	for _, r := range requests {
		if err := conn.Write(r); err != nil {
			t.Fatal(err)
		}
	}
	files := toSend(t, 3)
	if err := conn.WriteFiles(startRequest("true", 3), files.files); err != nil {
		t.Fatal(err)
	}
	files.closed() // while the worker lives
	for {
		event, _, err := conn.ReadEvent()
		if f := event.GetFault(); f != nil && (f.GetKind() != pb.Fault_VIOLATION || !strings.Contains(f.GetText(), "descriptors, before a message can have any")) {
			t.Errorf("got %v, want a violation that names descriptors", f)
		} else if f != nil {
			break
		}
		if err != nil {
			t.Fatalf("got %v, want a violation", err)
		}
	}
}
