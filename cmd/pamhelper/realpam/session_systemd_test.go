package realpam_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/pamhelper/pamhelper/pkg/ipc"
)

const systemdStack = "session required pam_systemd.so"

// expectCreated fails unless logind was asked for one session: the user's, with
// the worker as its leader, remote, without the terminal that PAM_TTY names.
func expectCreated(t *testing.T, l *logind, user string, worker int) {
	t.Helper()
	uid, err := strconv.Atoi(idOf(t, user))
	if err != nil {
		t.Fatal(err)
	}
	want := []createSession{{UID: uint32(uid), PID: uint32(worker), Service: "sshd", Type: "tty", Class: "user", Remote: true, RemoteHost: remote}}
	if got, _ := l.asked(); !slices.Equal(got, want) {
		t.Errorf("sessions that logind was asked for: got %+v, want %+v", got, want)
	}
}

func expectReleased(t *testing.T, l *logind, want string) {
	t.Helper()
	if _, got := l.asked(); got != want {
		t.Errorf("sessions released: got %s, want %s", got, want)
	}
}

func TestLogindSeesTheSessionAndItsEnd(t *testing.T) {
	l := startLogind(t)
	client, log := openSessionWith(t, loginOf("systemd1"), helperWith(t, systemdStack, nil))
	gone := l.given(t)
	expectCreated(t, l, "systemd1", pidOf(t, log))
	uid := idOf(t, "systemd1")
	expectOutput(t, client, `echo "$XDG_SESSION_ID $XDG_SESSION_TYPE $XDG_SESSION_CLASS $XDG_RUNTIME_DIR"; stat -c %U:%a "$XDG_RUNTIME_DIR"`,
		"c1 tty user /run/user/"+uid+"\nsystemd1:700\n")
	expectOutput(t, client, "cd /proc/self/fd && echo *", "0 1 2 3\n") // 3 is the directory: logind's is the worker's alone
	expectReleased(t, l, "[]")
	endLogin(t, client, "systemd1")
	expectReleased(t, l, "[c1]")
	gone()
}

func TestLogindSeesTheEndWhenTheAgentGoes(t *testing.T) {
	l := startLogind(t)
	client := openSessionOf(t, "systemd2", helperWith(t, systemdStack, nil))
	gone := l.given(t)
	if _, err := client.Start(t.Context(), ipc.Command{Line: "exec sleep 1000"}); err != nil {
		t.Fatal(err)
	}
	client.Close()
	expectReleased(t, l, "[c1]")
	gone()
}

// TestLogindSeesTheEndWhenTheWorkerIsKilled: by the descriptor at once, and then
// by what sweep closes.
func TestLogindSeesTheEndWhenTheWorkerIsKilled(t *testing.T) {
	l := startLogind(t)
	helper := helperWith(t, systemdStack, nil)
	client, log := openSessionWith(t, loginOf("systemd3"), helper)
	gone := l.given(t)
	if _, err := client.Start(t.Context(), ipc.Command{Line: "exec sleep 1000"}); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pidOf(t, log), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	gone()
	client.Close()
	expectReleased(t, l, "[]")
	if swept := run(t, "", helper, "sweep"); swept.status != 0 || !strings.Contains(swept.stdout, " systemd3 through sshd: closed\n") {
		t.Errorf("sweep: got %+v, want the login of systemd3 closed", swept)
	}
	expectReleased(t, l, "[c1]")
	if id := recordOf(t, "systemd3"); id != "" {
		t.Errorf("record after the sweep: got %s, want none", id)
	}
}

// TestSessionOpensWithoutLogind: the module says at most in the system's log that
// nobody answers.
func TestSessionOpensWithoutLogind(t *testing.T) {
	const optional = "session required pam_permit.so\nsession optional pam_systemd.so" // as Debian has it
	for _, c := range []struct {
		name, user, stack string
		prepare           func(*testing.T)
		logs              string // nothing where empty
	}{
		{"machine without logind", "systemd4", systemdStack, ready, ""},
		{"no bus", "systemd5", optional, haveSeats, "Failed to connect to system bus"},
		{"nobody on the bus", "systemd6", optional, func(t *testing.T) { haveSeats(t); startBus(t) }, "Failed to create session"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.prepare(t)
			before := len(logged("pam_systemd(sshd:session)"))
			p := &person{}
			client, _ := dialHelper(t, p, helperWith(t, c.stack, nil))
			if results, err := client.Login(t.Context(), loginOf(c.user), ipc.Authenticate, ipc.Account, ipc.Credentials, ipc.OpenSession); err != nil {
				t.Fatalf("got %q, %v", show(results), err)
			}
			expectOutput(t, client, `echo "$XDG_SESSION_ID$XDG_RUNTIME_DIR"`, "\n")
			endLogin(t, client, c.user)
			if len(p.said) > 0 {
				t.Errorf("messages: got %q, want none", p.said)
			}
			if c.logs != "" {
				waitLogged(t, "pam_systemd(sshd:session)", c.logs)
			} else if now := logged("pam_systemd(sshd:session)"); len(now) > before {
				t.Errorf("logged: got %q, want nothing", fmt.Sprint(now[before:]))
			}
		})
	}
}
