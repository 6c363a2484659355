package node_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/pamhelper/pamhelper/cmd/agent/internal/auth"
	"github.com/pamhelper/pamhelper/cmd/agent/internal/config"
	"github.com/pamhelper/pamhelper/cmd/agent/internal/node"
	"github.com/pamhelper/pamhelper/pkg/ipc"
	"github.com/pamhelper/pamhelper/pkg/ipc/ipctest"
)

const patience = 20 * time.Second

// key makes one from a number.
func key(t *testing.T, number byte) ssh.Signer {
	t.Helper()
	signer, err := ssh.NewSignerFromKey(ed25519.NewKeyFromSeed(bytes.Repeat([]byte{number}, ed25519.SeedSize)))
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

// counted is a helper in memory that counts its workers.
type counted struct {
	*ipctest.Helper
	mu       sync.Mutex
	launched int
}

func (c *counted) Launch(ctx context.Context) (net.Conn, error) {
	c.mu.Lock()
	c.launched++
	c.mu.Unlock()
	return c.Helper.Launch(ctx)
}

// served is a node with a helper in memory.
type served struct {
	t       *testing.T
	helper  *counted
	address string
	log     *lines
}

// lines is a log.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// logs waits for a text in the log.
func (s *served) logs(wanted string) {
	s.t.Helper()
	for deadline := time.Now().Add(patience); !strings.Contains(s.log.String(), wanted); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			s.t.Fatalf("the log has not %q:\n%s", wanted, s.log)
		}
	}
}

// serve starts a node. When the test ends, all its logins have to have ended.
func serve(t *testing.T, helper *ipctest.Helper, change func(*node.Settings)) *served {
	t.Helper()
	s := &served{t: t, helper: &counted{Helper: helper}, log: new(lines)}
	settings := &node.Settings{
		Auth: &auth.Settings{
			Launcher: s.helper, HostKeys: []ssh.Signer{key(t, 1)}, PasswordService: "sshd",
			PAM: config.PAM{Enabled: true, ServiceName: "sshd", UsePAMAuth: true},
		},
		LoginTimeout: patience, MaxUnauthenticated: 10, MaxChannels: 10, MaxUnread: 1 << 20, DrainTimeout: time.Millisecond,
	}
	if change != nil {
		change(settings)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.address = listener.Addr().String()
	ctx, end := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := node.New(slog.New(slog.NewTextHandler(s.log, nil)), settings).Serve(ctx, []net.Listener{listener}, nil); err != nil {
			t.Errorf("the node: %v", err)
		}
	})
	t.Cleanup(func() {
		end()
		serving.Wait()
		helper.Wait()
	})
	return s
}

// dial is a client with some ways in. What the node shows before the login is
// written to shown.
func (s *served) dial(shown *strings.Builder, ways ...ssh.AuthMethod) (*ssh.Client, error) {
	return ssh.Dial("tcp", s.address, &ssh.ClientConfig{
		User: "alice", Auth: ways, HostKeyCallback: ssh.InsecureIgnoreHostKey(), Timeout: patience,
		BannerCallback: func(text string) error {
			if shown != nil {
				shown.WriteString(text)
			}
			return nil
		},
	})
}

func (s *served) in(ways ...ssh.AuthMethod) *ssh.Client {
	s.t.Helper()
	client, err := s.dial(nil, ways...)
	if err != nil {
		s.t.Fatalf("log in: %v; the log:\n%s", err, s.log)
	}
	s.t.Cleanup(func() { client.Close() })
	return client
}

// asks is a stack that asks for a password.
func asks(c *ipctest.Call) ipc.Code {
	if string(c.Prompt(false, "Password: ")) != "secret" {
		return ipc.AuthErr
	}
	return ipc.Success
}

func stack(authenticate ipctest.Handler) *ipctest.Helper {
	return &ipctest.Helper{Steps: map[ipc.Step]ipctest.Handler{ipc.Authenticate: authenticate}}
}
