package node_test

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/pamhelper/pamhelper/pkg/ipc"
	"github.com/pamhelper/pamhelper/pkg/ipc/ipctest"
)

func TestSignalsReachTheProcessAndTheOneThatEndedItIsTold(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		sent   ssh.Signal
		exit   func(syscall.Signal) ipc.Exit
		signal string
		status int
	}{
		{ssh.SIGTERM, func(s syscall.Signal) ipc.Exit { return ipc.Exit{Status: -1, Signal: s} }, "TERM", 128 + 15},
		{ssh.SIGUSR1, func(syscall.Signal) ipc.Exit { return ipc.Exit{Status: 7} }, "", 7},
		{ssh.SIGINT, func(syscall.Signal) ipc.Exit { return ipc.Exit{Status: -1, Signal: syscall.SIGSYS} }, "", 128 + 31},
	} {
		helper := stack(asks)
		helper.Run = func(p *ipctest.Process) ipc.Exit {
			fmt.Fprintln(p.Stdout, "ready")
			return c.exit(<-p.Signals)
		}
		session, err := serve(t, helper, nil).in(ssh.Password("secret")).NewSession()
		if err != nil {
			t.Fatal(err)
		}
		out, err := session.StdoutPipe()
		if err := errors.Join(err, session.Start("anything")); err != nil {
			t.Fatal(err)
		}
		io.ReadFull(out, make([]byte, len("ready\n")))
		if err := session.Signal(c.sent); err != nil {
			t.Fatal(err)
		}
		var exit *ssh.ExitError
		if err := session.Wait(); !errors.As(err, &exit) || exit.Signal() != c.signal || exit.ExitStatus() != c.status {
			t.Errorf("%s: got %v, want signal %q and status %d", c.sent, err, c.signal, c.status)
		}
	}
}

// TestAFailedChangeOfAPasswordCanBeTriedAgain from the proof on, with a worker of
// its own.
func TestAFailedChangeOfAPasswordCanBeTriedAgain(t *testing.T) {
	t.Parallel()
	helper := stack(asks)
	helper.Steps[ipc.Account] = func(*ipctest.Call) ipc.Code { return ipc.NewAuthtokReqd }
	helper.Steps[ipc.ChangePassword] = func(c *ipctest.Call) ipc.Code {
		if string(c.Prompt(false, "New password: ")) != "long enough" {
			return ipc.AuthtokErr
		}
		return ipc.Success
	}
	s := serve(t, helper, nil)
	fresh := []string{"short", "long enough"}
	var asked []string
	client, err := s.dial(nil, ssh.Password("secret"), ssh.RetryableAuthMethod(ssh.KeyboardInteractive(
		func(_, _ string, questions []string, _ []bool) (answers []string, err error) {
			asked = append(asked, questions...)
			for _, question := range questions {
				answer := "secret"
				if strings.HasPrefix(question, "New") {
					answer, fresh = fresh[0], fresh[1:]
				}
				answers = append(answers, answer)
			}
			return answers, nil
		}), 3))
	if err != nil {
		t.Fatalf("log in: %v; the log:\n%s", err, s.log)
	}
	client.Close()
	if want := []string{"New password: ", "Password: ", "New password: "}; !slices.Equal(asked, want) {
		t.Errorf("asked %q, want %q", asked, want)
	}
	if s.helper.launched != 2 {
		t.Errorf("workers: got %d, want 2", s.helper.launched)
	}
}

// TestWhatCannotBeStartedIsToldInWords behind a reply that says yes, and the connection
// goes on.
func TestWhatCannotBeStartedIsToldInWords(t *testing.T) {
	t.Parallel()
	client := serve(t, stack(asks), nil).in(ssh.Password("secret"))
	for line, want := range map[string]string{
		"a\x00b": "the command holds a NUL byte", strings.Repeat("x", 128<<10): "the command has 131072 bytes; at most 131071",
	} {
		session, err := client.NewSession()
		if err != nil {
			t.Fatal(err)
		}
		var said strings.Builder
		session.Stderr = &said
		var exit *ssh.ExitError
		if err := session.Run(line); !errors.As(err, &exit) || exit.ExitStatus() != 1 || said.String() != want+"\r\n" {
			t.Errorf("got %v and %q, want status 1 and %s", err, said.String(), want)
		}
	}
}
