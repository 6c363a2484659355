package realpam_test

import (
	"bytes"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
)

func TestAgentPassesOnACommandsStatusAndOutput(t *testing.T) {
	t.Parallel()
	r := runAs(t, "piped1", "input\n", "sh", "-c", "id -un; cat; echo error >&2; exit 9")
	if want := (ran{"piped1\ninput\n", "error\n", 9}); r != want {
		t.Errorf("got %+v, want %+v", r, want)
	}
	waitCalls(t, "piped1", wholeLogin)
}

func TestAgentNamesTheSignalThatEndedACommand(t *testing.T) {
	t.Parallel()
	for signal, status := range map[string]int{"KILL": 137, "SEGV": 139, "TERM": 143} {
		runAs(t, "alice", "", "exec", "sh", "-c", "kill -"+signal+" $$").expect(t, status, "", "agent: the process was ended by SIG"+signal)
	}
}

func TestAgentTellsThatThereIsNoSuchCommand(t *testing.T) {
	t.Parallel()
	runAs(t, "alice", "", "nosuchcommand").expect(t, 127, "", "nosuchcommand: not found")
}

func TestAgentPassesOnEveryByte(t *testing.T) {
	t.Parallel()
	input := make([]byte, 10<<20)
	rand.NewChaCha8([32]byte{}).Read(input)
	r := runAs(t, "alice", string(input), "sh", "-c", "echo begin >&2; cat; echo end >&2; exit 4")
	if r.stdout != string(input) {
		t.Errorf("standard output: got %d bytes, want the %d of the input", len(r.stdout), len(input))
	}
	if r.stderr != "begin\nend\n" || r.status != 4 {
		t.Errorf("got standard error %q and status %d, want begin, end and 4", r.stderr, r.status)
	}
}

func TestACommandNeedNotReadItsInput(t *testing.T) {
	t.Parallel()
	input := strings.Repeat("x", 1<<20)
	for _, c := range []struct {
		name, line, stdout string
		status             int
	}{
		{"closes it", "exec <&-; echo done; exit 6", "done\n", 6},
		{"reads the beginning", "head -c 3", "xxx", 0},
		{"ends at once", "exit 7", "", 7},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			runAs(t, "bob", input, "sh", "-c", c.line).expect(t, c.status, c.stdout, "")
		})
	}
}

// TestACommandLearnsThatNobodyReadsItsOutput is "agent login … -- exec yes | head -1".
func TestACommandLearnsThatNobodyReadsItsOutput(t *testing.T) {
	t.Parallel()
	p := &piped{pty: newTerminal(t)}
	out := pipe(t)
	cmd := exec.Command(agent, agentLogin(pamhelper, "piped2", "--", "exec", "yes")...)
	cmd.Stdout, cmd.Stderr = out.w, &p.stderr
	p.quiet()
	p.runBeside(cmd)
	out.w.Close()
	p.answers(password)
	begin := make([]byte, 4)
	if _, err := io.ReadFull(out.r, begin); err != nil || string(begin) != "y\ny\n" {
		t.Errorf("got %q, %v; want y and y", begin, err)
	}
	out.r.Close()
	p.ran().expect(t, 141, "", "the process was ended by SIGPIPE")
	waitCalls(t, "piped2", wholeLogin)
}

func TestAgentTellsThatItsOutputCannotBeWritten(t *testing.T) {
	t.Parallel()
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	p := &piped{pty: newTerminal(t)}
	cmd := exec.Command(agent, agentLogin(pamhelper, "alice", "--", "echo", "lost")...)
	cmd.Stdout, cmd.Stderr = full, &p.stderr
	p.quiet()
	p.runBeside(cmd)
	p.answers(password)
	p.ran().expect(t, 3, "", "agent: standard output: write /dev/stdout: no space left on device")
}

func TestAgentDoesNotWaitForWhatACommandLeftBehind(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, user, left string }{
		{"in its session", "carol", "sleep 1000 &"},
		{"that writes", "dave", "while :; do echo; done >&2 &"},
		{"in a session of its own", "erin", "setsid sh -c 'echo $$ >>leader; exec sleep 1000' & while ! [ -s leader ]; do :; done;"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := runAs(t, c.user, "", "sh", "-c", c.left+" head -c 60000 /dev/zero; exit 5")
			if want := strings.Repeat("\x00", 60000); r.stdout != want || r.status != 5 {
				t.Errorf("got status %d and %d bytes, want 5 and %d", r.status, len(r.stdout), len(want))
			}
			if strings.Contains(c.left, "setsid") {
				endLeftover(t, "/home/"+c.user+"/leader")
			}
		})
	}
}

// endLeftover ends a process that survives its login, as it should.
func endLeftover(t *testing.T, pidFile string) {
	t.Helper()
	if err := command("kill", "-KILL", strings.TrimSpace(readFile(t, pidFile))); err != nil {
		t.Errorf("a process with a session of its own does not live any more: %v", err)
	}
}

func TestArgumentsReachTheUsersCommandAsTheyAre(t *testing.T) {
	t.Parallel()
	words := []string{"", "a b", "it's", `say "hi"`, "one\ntwo", "--", "-n", "$HOME", "*", `back\slash`, "~", "é", "\xff"}
	want := strings.Join(words, "\x00") + "\x00"
	if r := runAs(t, "alice", "", append([]string{"printf", `%s\0`}, words...)...); r.stdout != want || r.status != 0 {
		t.Errorf("got %q, status %d; want %q", r.stdout, r.status, want)
	}
	runAs(t, "alice", "", "echo", "--", "-x").expect(t, 0, "-- -x\n", "")
	runAs(t, "alice", "", "").expect(t, 127, "", "sh: 1:") // the command without a name
}

func TestOnlyTheLocaleOfTheCallerIsPassedOn(t *testing.T) {
	t.Parallel()
	p := &piped{pty: newTerminal(t)}
	cmd := exec.Command(agent, agentLogin(pamhelper, "alice", "--", "env")...)
	cmd.Env = []string{"LANG=C.UTF-8", "LC_TIME=en_DK", "LANGUAGE=en", "TERM=xterm", "SECRET=x", "PATH=/nosuch"}
	cmd.Stdout, cmd.Stderr = &p.stdout, &p.stderr
	p.quiet()
	p.runBeside(cmd)
	p.answers(password)
	got := p.ran().stdout
	for _, want := range []string{"LANG=C.UTF-8\n", "LC_TIME=en_DK\n", "USER=alice\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("got\n%s\nwant %s", got, want)
		}
	}
	for _, unwanted := range []string{"LANGUAGE=", "TERM=", "SECRET=", "/nosuch"} {
		if strings.Contains(got, unwanted) {
			t.Errorf("got\n%s\nwant no %s", got, unwanted)
		}
	}
}

// TestACommandDoesNotGetTheAgentsOwnTerminal: it could type into it.
func TestACommandDoesNotGetTheAgentsOwnTerminal(t *testing.T) {
	t.Parallel()
	p := onTerminal(t, agent, agentLogin(pamhelper, "alice", "--", "sh", "-c", "readlink /proc/self/fd/0 /proc/self/fd/1 /proc/self/fd/2; tty </dev/tty")...)
	p.answers(password)
	p.ends(2) // dash: /dev/tty cannot be opened
	if got := bytes.Count([]byte(p.String()), []byte("pipe:[")); got != 3 {
		t.Errorf("got %d pipes, want 3:\n%s", got, p)
	}
}

func TestAFailingCloseIsToldAndDoesNotHideTheCommandsStatus(t *testing.T) {
	t.Parallel()
	helper := helperWith(t, unixStack+"\nsession required pam_debug.so close_session=session_err", nil)
	for command, status := range map[string]int{"true": 3, "exit 7": 7} {
		overPipes(t, helper, "alice", "--", "sh", "-c", command).ran().
			expect(t, status, "", "agent: close_session: PAM_SESSION_ERR")
	}
}
