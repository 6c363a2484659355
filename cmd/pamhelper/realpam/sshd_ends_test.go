package realpam_test

import (
	"errors"
	"fmt"
	"syscall"
	"testing"

	"github.com/pamhelper/pamhelper/pkg/ipc"
)

func TestEndsAreToldAsWithSSHD(t *testing.T) {
	t.Parallel()
	s := serve(t, plainStack, just, nil)
	for _, c := range []struct {
		user   string
		way    way
		end    string
		signal syscall.Signal
	}{
		{user: shellUser, way: way{name: "exits", line: "echo out; echo err >&2; exit 3"}, end: "exit 3"},
		{user: shellUser, way: way{name: "exits on a terminal", line: "echo out; echo err >&2; exit 3", terminal: true}, end: "exit 3"},
		{user: shellUser, way: way{name: "is terminated", line: "kill -TERM $$"}, end: "signal", signal: syscall.SIGTERM},
		{user: shellUser, way: way{name: "is killed on a terminal", line: "kill -KILL $$", terminal: true}, end: "signal", signal: syscall.SIGKILL},
		{user: shellUser, way: way{name: "aborts", line: "ulimit -c 0; kill -ABRT $$"}, end: "signal", signal: syscall.SIGABRT},
		{user: shellUser, way: way{name: "is no program", line: "no-such-program"}, end: "exit 127"},
		{user: shellUser, way: way{name: "may not be run", line: "/etc/passwd"}, end: "exit 126"},
		{user: noneUser, way: way{name: "no shell named", line: `echo "$0 $SHELL"`}, end: "exit 0"},
		{user: nologinUser, way: way{name: "nologin, command", line: "true"}, end: "exit 1"},
		{user: nologinUser, way: way{name: "nologin, login shell on a terminal", terminal: true}, end: "exit 1"},
		{user: gitUser, way: way{name: "git-shell, no repository", line: "git-upload-pack '/no-such-repository'"}, end: "exit 128"},
		{user: gitUser, way: way{name: "git-shell, other command", line: "id"}, end: "exit 128"},
		{user: gitUser, way: way{name: "git-shell, login shell on a terminal", terminal: true}, end: "exit 128"},
	} {
		t.Run(c.way.name, func(t *testing.T) {
			sshd, ours := s.ssh(t, c.user, password, c.way), s.ours(t, c.user, c.way)
			if sshd.end != c.end {
				t.Errorf("with sshd: got %s, want %s", sshd, c.end)
			}
			if ours.signal != c.signal {
				t.Errorf("signal: got %v, want %v", ours.signal, c.signal)
			}
			if ours.signal = 0; ours != sshd {
				t.Errorf("with the helper:\ngot  %s\nwant %s, as with sshd", ours, sshd)
			}
		})
	}
}

// The words are not sshd's: ours say as well where the process starts instead.
func TestAHomeThatCannotBeEnteredIsLeftOutAsWithSSHD(t *testing.T) {
	t.Parallel()
	s := serve(t, plainStack, just, nil)
	for user, reason := range map[string]string{homelessUser: "No such file or directory", shutOutUser: "Permission denied"} {
		w := way{line: "pwd; echo $HOME"}
		sshd, ours := s.ssh(t, user, password, w), s.ours(t, user, w)
		home := "/home/" + user
		if want := fmt.Sprintf("Could not chdir to home directory %s: %s\n", home, reason); sshd.stderr != want {
			t.Errorf("%s with sshd: got %q, want %q", user, sshd.stderr, want)
		}
		if want := fmt.Sprintf("home directory %s: %s; starting in /\n", home, reason); ours.stderr != want {
			t.Errorf("%s: got %q, want %q", user, ours.stderr, want)
		}
		if want := "/\n" + home + "\n"; ours.stdout != want || sshd.stdout != want || ours.end != "exit 0" || sshd.end != "exit 0" {
			t.Errorf("%s: got %s, with sshd %s, want %q and exit 0", user, ours, sshd, want)
		}
	}
}

// sshd refuses the login, as if the password were wrong. The helper leaves it to
// PAM who may log in (pam_shells), and starts nothing.
func TestAShellThatDoesNotExistStartsNothing(t *testing.T) {
	t.Parallel()
	s := serve(t, plainStack, just, nil)
	if got := s.ssh(t, noShellUser, password, way{line: "true"}); got.end != "refused" {
		t.Errorf("with sshd: got %s, want the login refused", got)
	}
	client, _ := openSessionWith(t, ipc.Login{Service: "sshd", User: noShellUser, Rhost: loopback}, s.helper)
	_, err := client.Start(t.Context(), ipc.Command{Line: "true"})
	if !errors.Is(err, ipc.ErrNotStarted) || !errors.Is(err, syscall.ENOENT) {
		t.Errorf("start: got error %v, want %v with %v", err, ipc.ErrNotStarted, syscall.ENOENT)
	}
}
