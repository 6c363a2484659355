package node_test

import (
	"io"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/pamhelper/pamhelper/pkg/ipc"
	"github.com/pamhelper/pamhelper/pkg/ipc/ipctest"
)

// deaf is a helper whose processes read nothing, but for those of the command "read".
func deaf() *ipctest.Helper {
	helper := stack(asks)
	helper.Run = func(p *ipctest.Process) ipc.Exit {
		if p.Command.Line == "read" {
			io.Copy(p.Stdout, p.Stdin)
			return ipc.Exit{}
		}
		<-p.Signals
		return ipc.Exit{}
	}
	return helper
}

// into starts a command and returns its input and output.
func into(t *testing.T, client *ssh.Client, line string) (io.WriteCloser, io.Reader) {
	t.Helper()
	session, err := client.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	in, err := session.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := session.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := session.Start(line); err != nil {
		t.Fatal(err)
	}
	return in, out
}

// TestAClientThatSendsIntoTheVoidIsGivenUp: what it sends byte by byte would take 46
// times as much memory here.
func TestAClientThatSendsIntoTheVoidIsGivenUp(t *testing.T) {
	t.Parallel()
	s := serve(t, deaf(), nil)
	client := s.in(ssh.Password("secret"))
	var ends []<-chan struct{}
	for range 2 {
		in, _ := into(t, client, "sleep")
		ended := make(chan struct{})
		ends = append(ends, ended)
		go func() {
			defer close(ended)
			for {
				if _, err := in.Write([]byte("x")); err != nil {
					return
				}
			}
		}()
	}
	s.logs("closed: the client has sent much more than its processes read")
	for _, ended := range ends {
		<-ended
	}
	client.Wait()
}

// TestAProcessThatDoesNotReadEndsNothing: its window is full, and others go on.
func TestAProcessThatDoesNotReadEndsNothing(t *testing.T) {
	t.Parallel()
	s := serve(t, deaf(), nil)
	client := s.in(ssh.Password("secret"))
	into(t, client, "sleep")
	full, _ := into(t, client, "sleep")
	full.Write(make([]byte, 2<<20)) // as much as there is room for
	in, out := into(t, client, "read")
	const much = 64 << 20
	go func() {
		in.Write(make([]byte, much))
		in.Close()
	}()
	if n, err := io.Copy(io.Discard, out); n != much || err != nil {
		t.Errorf("got %d bytes and %v, want %d; the log:\n%s", n, err, much, s.log)
	}
}

// TestWhatAProcessDoesNotTakeIsDropped, as sshd does: the client sends it to the end.
func TestWhatAProcessDoesNotTakeIsDropped(t *testing.T) {
	t.Parallel()
	helper := deaf()
	helper.Run = func(p *ipctest.Process) ipc.Exit {
		p.Stdin.Close()
		<-p.Signals
		return ipc.Exit{}
	}
	s := serve(t, helper, nil)
	in, _ := into(t, s.in(ssh.Password("secret")), "anything")
	if n, err := in.Write(make([]byte, 16<<20)); err != nil {
		t.Errorf("sent %d bytes, %v; want all", n, err)
	}
}
