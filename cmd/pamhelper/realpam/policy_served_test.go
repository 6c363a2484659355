package realpam_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/pamhelper/pamhelper/pkg/ipc"
)

// served is a PAM service of a test, and the policy that serves it.
type served struct {
	t                    *testing.T
	helper, name, policy string
}

// servedBy writes a service and a policy with these fields for it.
func servedBy(t *testing.T, fields string, lines ...string) served {
	t.Helper()
	name := service(t, lines...)
	return served{t, pamhelper, name, policyFile(t, fmt.Sprintf("service { name: %q %s }", name, fields))}
}

// servedApart is servedBy for a stack that makes users: its helpers have an /etc of
// their own. Changing the machine's would take away what others have mounted there.
func servedApart(t *testing.T, fields string, lines ...string) served {
	t.Helper()
	s := served{t, helperWith(t, "", nil), "sshd", "/etc/pamhelper/apart.textproto"}
	etc := filepath.Join(filepath.Dir(s.helper), "etc")
	if err := errors.Join(os.Mkdir(etc, 0o755), command("cp", "-a", "/etc/.", etc)); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(etc, "pam.d/sshd"), complete(strings.Join(lines, "\n")))
	writeFile(t, filepath.Join(etc, "pamhelper/apart.textproto"), fmt.Sprintf("service { name: %q %s }", s.name, fields))
	writeFile(t, filepath.Join(filepath.Dir(s.helper), "mounts"), "mount --bind '"+etc+"' /etc\n")
	return s
}

func (s served) dial(p *person) (*ipc.Client, *workerLog) {
	s.t.Helper()
	return dialHelper(s.t, p, s.helper, "--policy", s.policy)
}

func (s served) login(user string) ipc.Login {
	return ipc.Login{Service: s.name, User: user, Rhost: remote}
}

// tries logs a user in as far as the steps lead, and returns what came of them.
func (s served) tries(user, answer string, steps ...ipc.Step) (results string, p *person, log *workerLog) {
	s.t.Helper()
	p = &person{answers: []string{answer}}
	client, log := s.dial(p)
	list, _ := client.Login(s.t.Context(), s.login(user), steps...)
	client.Close()
	return show(list), p, log
}

func TestAServiceThatThePolicyDoesNotNameIsNotServed(t *testing.T) {
	t.Parallel()
	s := servedBy(t, "", "auth required pam_permit.so")
	client, _ := s.dial(&person{})
	_, err := client.Begin(t.Context(), loginOf("alice"))
	var refused *ipc.RefusedError
	if !errors.As(err, &refused) || !strings.Contains(err.Error(), "this helper serves: "+s.name) {
		t.Errorf("got %v, want it refused, and the services that are served", err)
	}
}

func TestAPolicyThatCannotBeUsedServesNothing(t *testing.T) {
	for name, spoil := range map[string]func(path string) error{
		"syntax": func(path string) error { return os.WriteFile(path, []byte("service {"), 0o644) },
		"unknown field": func(path string) error {
			return os.WriteFile(path, []byte(`service { name: "sshd" colour: "red" }`), 0o644)
		},
		"owner":   func(path string) error { return os.Chown(path, 1234, 0) },
		"mode":    func(path string) error { return os.Chmod(path, 0o666) },
		"missing": os.Remove,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := policyFile(t, `service { name: "sshd" }`)
			if err := spoil(path); err != nil {
				t.Fatal(err)
			}
			var log workerLog
			_, err := ipc.Dial(t.Context(), ipc.Exec{Path: pamhelper, Args: []string{"--policy=" + path}, Log: &log}, ipc.Options{})
			if want := "run pamhelper policy check " + path; !errors.Is(err, ipc.ErrInternal) || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want an error with %q", err, want)
			}
			if !strings.Contains(log.String(), path+":") && !strings.Contains(log.String(), path+" ") {
				t.Errorf("log %q, want what is wrong with %s", log.String(), path)
			}
		})
	}
}

func TestTheMachinesPolicyIsTakenWhereNoOtherOneIsNamed(t *testing.T) {
	t.Parallel()
	for policy, want := range map[string]string{
		`service { name: "sshd" users { deny: "%s" } }`: "begin=PAM_SUCCESS authenticate=PAM_AUTH_ERR",
		`service { name: "sshd" }`:                      "begin=PAM_SUCCESS authenticate=PAM_SUCCESS",
	} {
		g := newGround(t)
		dir := public(t)
		if strings.Contains(policy, "%s") {
			policy = fmt.Sprintf(policy, g.user)
		}
		writeFile(t, filepath.Join(dir, "policy.textproto"), policy)
		g.before("mount --bind '" + dir + "' /etc/pamhelper")
		client, _ := dialHelper(t, &person{}, g.helper)
		if results, err := client.Login(t.Context(), loginOf(g.user), ipc.Authenticate); show(results) != want {
			t.Errorf("%s: got %q, %v; want %q", policy, show(results), err, want)
		}
		client.Close()
	}
}

// memory is a sealed file of no file system, as the broker passes a policy on.
func memory(t *testing.T, text string) *os.File {
	t.Helper()
	fd, err := unix.MemfdCreate("policy", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fd), "policy")
	t.Cleanup(func() { f.Close() })
	_, err = f.WriteString(text)
	_, sealed := unix.FcntlInt(f.Fd(), unix.F_ADD_SEALS, unix.F_SEAL_WRITE|unix.F_SEAL_SHRINK|unix.F_SEAL_GROW|unix.F_SEAL_SEAL)
	if err := errors.Join(err, sealed); err != nil {
		t.Fatal(err)
	}
	return f
}

func TestAPolicyOnADescriptor(t *testing.T) {
	t.Parallel()
	ready(t)
	name := service(t, "auth required pam_permit.so")
	good := memory(t, `service { name: "`+name+`" }`)
	for _, c := range []struct {
		name string
		file *os.File
		args []string
		want string
	}{
		{"in two words", good, []string{"--policy", "fd:4"}, ""},
		{"read a second time", good, []string{"--policy=fd:4"}, ""},
		{"a bad one", memory(t, "service {"), []string{"--policy=fd:4"}, "run pamhelper policy check"},
		{"none", nil, []string{"--policy=fd:4"}, "run pamhelper policy check"},
		{"not asked for", good, nil, "this helper serves: sshd"},
	} {
		w := startWorker(t, os.Getuid(), c.file, c.args...)
		client, err := w.greet(&person{})
		if err == nil {
			_, err = client.Begin(t.Context(), ipc.Login{Service: name, User: "alice", Rhost: remote})
			client.Close()
		}
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
}
