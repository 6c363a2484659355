package realpam_test

import (
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/pamhelper/pamhelper/pkg/ipc"
)

// withShell is a ground whose user has this shell.
func withShell(t *testing.T, shell string) *ground {
	t.Helper()
	g := newGround(t)
	g.shell = shell
	g.rewrite("/etc/passwd", g.line())
	return g
}

// rewrite changes one of the helper's own files. Helpers that run see it too.
func (g *ground) rewrite(path, text string) {
	g.t.Helper()
	writeFile(g.t, g.helper[:strings.LastIndexByte(g.helper, '/')+1]+strings.ReplaceAll(path, "/", "+"), text)
}

func TestACommandThatDoesNotExistIsTheShellsToReport(t *testing.T) {
	t.Parallel()
	client, _ := newGround(t).open()
	o := runIn(t, client, "no-such-program --at all", "")
	if o.exit.Status != 127 || o.stdout != "" || !strings.Contains(o.stderr, "no-such-program: not found") {
		t.Errorf("got %+v, want status 127 and that it was not found", o)
	}
}

func TestAShellThatCannotBeRunStartsNothingAndTheSessionGoesOn(t *testing.T) {
	ready(t)
	dir := public(t)
	notExecutable, noFormat := dir+"/plain", dir+"/binary"
	writeFile(t, notExecutable, "#!/bin/sh\n")
	writeFile(t, noFormat, "neither a script nor a program\n")
	if err := os.Chmod(noFormat, 0o755); err != nil {
		t.Fatal(err)
	}
	for shell, want := range map[string]syscall.Errno{
		"/opt/no/such/shell": syscall.ENOENT,
		notExecutable:        syscall.EACCES,
		noFormat:             syscall.ENOEXEC,
		"/etc":               syscall.EACCES,
		"/etc/passwd/sh":     syscall.ENOTDIR,
	} {
		t.Run(shell, func(t *testing.T) {
			t.Parallel()
			client, _ := withShell(t, shell).open()
			for _, c := range []ipc.Command{{Line: "true"}, {Terminal: &ipc.Terminal{}}} {
				p, err := client.Start(t.Context(), c)
				var failed *ipc.NotStartedError
				if !errors.As(err, &failed) || failed.Errno != want || !strings.Contains(failed.Text, shell) {
					t.Errorf("got %v, %v; want that %s was not started: %v", p, err, shell, want)
				}
			}
			if _, err := client.Do(t.Context(), ipc.CloseSession, ipc.End); err != nil {
				t.Errorf("the session afterwards: got %v, want it to end in order", err)
			}
		})
	}
}

func TestShellsThatLetNobodyInMeanIt(t *testing.T) {
	for _, c := range []struct {
		name, shell, command string
		status               int
		says                 string
	}{
		{"nologin", "/usr/sbin/nologin", "", 1, "This account is currently not available."},
		{"nologin with a command", "/usr/sbin/nologin", "echo in", 1, "This account is currently not available."},
		{"false with a command", "/bin/false", "echo in", 1, ""},
		{"git-shell", "/usr/bin/git-shell", "", 128, "Interactive git shell is not enabled"},
		{"git-shell with a command", "/usr/bin/git-shell", "echo in", 128, "unrecognized command 'echo in'"},
		{"git-shell with git's command and more", "/usr/bin/git-shell", "git-upload-pack '.'; echo in", 128, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			client, _ := withShell(t, c.shell).open()
			o := runIn(t, client, c.command, "echo in\n")
			if said := o.stdout + o.stderr; o.exit.Status != c.status || !strings.Contains(said, c.says) || strings.HasPrefix(o.stdout, "in") {
				t.Errorf("got %+v, want status %d and %q", o, c.status, c.says)
			}
		})
	}
}

func TestGitShellServesARepository(t *testing.T) {
	t.Parallel()
	g := withShell(t, "/usr/bin/git-shell")
	client, _ := g.open()
	if err := command("git", "init", "--quiet", "--bare", g.home+"/repository"); err != nil {
		t.Fatal(err)
	}
	if err := command("chown", "-R", "--reference", g.home, g.home); err != nil {
		t.Fatal(err)
	}
	o := runIn(t, client, "git-upload-pack 'repository'", "0000")
	if o.exit.Status != 0 || o.stdout != "0000" || o.stderr != "" {
		t.Errorf("got %+v, want the end of git's empty list", o)
	}
}

func TestAHomeThatCannotBeEnteredStartsInTheRoot(t *testing.T) {
	for name, spoil := range map[string]func(home string) error{
		"missing":          os.Remove,
		"not the user's":   func(home string) error { return errors.Join(os.Chown(home, 0, 0), os.Chmod(home, 0o700)) },
		"not to be opened": func(home string) error { return os.Chmod(home, 0) },
		"a file":           func(home string) error { return errors.Join(os.Remove(home), os.WriteFile(home, nil, 0o644)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGround(t)
			if err := spoil(g.home); err != nil {
				t.Fatal(err)
			}
			client, _ := g.open()
			o := runIn(t, client, "pwd; echo $HOME", "")
			if want := "/\n" + g.home + "\n"; o.stdout != want || !strings.HasPrefix(o.stderr, "home directory "+g.home+": ") {
				t.Errorf("got %q and on standard error %q; want %q and what is wrong with the home", o.stdout, o.stderr, want)
			}
		})
	}
}

func TestAHomeThatCannotBeEnteredAndNobodyToTell(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	if err := os.Remove(g.home); err != nil {
		t.Fatal(err)
	}
	client, _ := g.open()
	stdout, stderr := pipe(t), pipe(t)
	stderr.r.Close()
	p, err := client.Start(t.Context(), ipc.Command{Line: "exit 5", Stdout: stdout.w, Stderr: stderr.w})
	if err != nil {
		t.Fatal(err)
	}
	if exit, err := p.Wait(t.Context()); err != nil || exit.Status != 5 {
		t.Errorf("ended with %+v, %v; want the command's status 5", exit, err)
	}
}

func TestAUserWhoIsGoneGetsNoProcess(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	client, _ := g.open()
	g.rewrite("/etc/passwd", "root:x:0:0:root:/root:/bin/sh\n")
	if p, err := client.Start(t.Context(), ipc.Command{Line: "true"}); !errors.Is(err, ipc.ErrNotStarted) || !strings.Contains(err.Error(), "unknown user") {
		t.Errorf("got %v, %v; want nothing started for an unknown user", p, err)
	}
}

func TestAUserWhoBecameRootGetsNoProcess(t *testing.T) {
	for name, line := range map[string]string{"uid 0": ":x:0:20000::/:/bin/sh\n", "group 0": ":x:20000:0::/:/bin/sh\n"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGround(t)
			client, _ := g.open()
			g.rewrite("/etc/passwd", g.user+line)
			if p, err := client.Start(t.Context(), ipc.Command{Line: "true"}); !errors.Is(err, ipc.ErrNotStarted) || !strings.Contains(err.Error(), "gets no processes: root") {
				t.Errorf("got %v, %v; want nothing started for root", p, err)
			}
		})
	}
}

func TestWhatNoProcessCanBeStartedWithIsSaid(t *testing.T) {
	t.Parallel()
	client, _ := newGround(t).open()
	window := func(columns uint16, name string) *ipc.Terminal {
		return &ipc.Terminal{Type: name, Size: ipc.Size{Columns: columns}}
	}
	for _, c := range []struct {
		name    string
		command ipc.Command
		says    string
	}{
		{"terminal type", ipc.Command{Terminal: window(80, "xterm;reset")}, "terminal type"},
		{"terminal type that is long", ipc.Command{Terminal: window(80, strings.Repeat("x", 65))}, "terminal type"},
		{"terminal modes that are long", ipc.Command{Terminal: &ipc.Terminal{Modes: make([]byte, 1025)}}, "terminal modes"},
	} {
		if p, err := client.Start(t.Context(), c.command); !errors.Is(err, ipc.ErrNotStarted) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: got %v, %v; want nothing started and %q", c.name, p, err, c.says)
		}
	}
	if o := runIn(t, client, "echo still here", ""); o.stdout != "still here\n" {
		t.Errorf("the session afterwards: got %+v, want it to go on", o)
	}
}

func TestTheLongestCommandIsRunAndALongerOneIsNotSent(t *testing.T) {
	t.Parallel()
	client, _ := newGround(t).open()
	const longest = 131071
	line := "exit 9 # "
	p, err := client.Start(t.Context(), ipc.Command{Line: line + strings.Repeat("x", longest-len(line))})
	if err != nil {
		t.Fatal(err)
	}
	if exit, err := p.Wait(t.Context()); err != nil || exit.Status != 9 {
		t.Errorf("ended with %+v, %v; want status 9", exit, err)
	}
	var refused *ipc.NotStartedError
	if _, err := client.Start(t.Context(), ipc.Command{Line: strings.Repeat("x", longest+1)}); !errors.As(err, &refused) {
		t.Errorf("a command that is too long: got %v, want one that is not started", err)
	}
	expectOutput(t, client, "echo goes on", "goes on\n")
}

func TestACommandThatIsTooLongEndsTheLoginOfWhoSendsIt(t *testing.T) {
	t.Parallel()
	w := newGround(t).wire()
	w.say(startRequest(strings.Repeat("x", 131072), 0))
	w.violates("a command of more than 131071 bytes")
}
