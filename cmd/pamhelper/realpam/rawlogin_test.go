package realpam_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
)

// move is one packet that a raw client sends, and what has to come back: want is
// how its outcome begins.
type move struct {
	what  string
	bytes func(*rawClient) []byte
	want  string
}

func (m move) wants(want string) move {
	m.want = want
	return m
}

func packet(what string, bytes []byte) move {
	return move{what: what, bytes: func(*rawClient) []byte { return bytes }}
}

// request is a request to log in.
func request(user, service, method string, rest ...byte) []byte {
	return ssh.Marshal(struct {
		User, Service, Method string `sshtype:"50"`
		Rest                  []byte `ssh:"rest"`
	}{user, service, method, rest})
}

const connections = "ssh-connection"

func none(user string) move { return packet("none", request(user, connections, "none")) }

func passwordFrom(user, secret string) move {
	return packet("password", request(user, connections, "password", append([]byte{0}, wireString(secret)...)...))
}

func interactive(user string) move {
	return packet("keyboard-interactive", request(user, connections, "keyboard-interactive", make([]byte, 8)...))
}

// answersOf answers a question, with any number of answers.
func answersOf(answers ...string) move {
	message := ssh.Marshal(struct {
		Count uint32 `sshtype:"61"`
	}{uint32(len(answers))})
	for _, answer := range answers {
		message = append(message, wireString(answer)...)
	}
	return packet(fmt.Sprintf("%d answers", len(answers)), message)
}

// asksAbout asks whether a key could be used.
func asksAbout(user string, key ssh.PublicKey) move {
	message := append([]byte{0}, wireString(key.Type())...)
	return packet("a key", request(user, connections, "publickey", append(message, wireString(string(key.Marshal()))...)...))
}

// signs logs in with a key, and a signature by the signer for what is said.
func signs(user string, key ssh.PublicKey, signer ssh.Signer) move {
	return signsAs(user, user, key, signer)
}

// signsAs signs for one user and names another.
func signsAs(signed, named string, key ssh.PublicKey, signer ssh.Signer) move {
	return move{what: "a signature", bytes: func(r *rawClient) []byte {
		message := append([]byte{1}, wireString(key.Type())...)
		message = append(message, wireString(string(key.Marshal()))...)
		signature, err := signer.Sign(rand.Reader, append(wireString(string(r.session)), request(signed, connections, "publickey", message...)...))
		if err != nil {
			r.t.Fatal(err)
		}
		return request(named, connections, "publickey", append(message, wireString(string(ssh.Marshal(signature)))...)...)
	}}
}

// signer is a key of keygen.
func (n *node) signer(name string) ssh.Signer {
	n.t.Helper()
	signer, err := ssh.ParsePrivateKey([]byte(readFile(n.t, n.path(name))))
	if err != nil {
		n.t.Fatal(err)
	}
	return signer
}

// plays makes moves, as long as what comes back is what is wanted.
func (r *rawClient) plays(moves ...move) error {
	for i, m := range moves {
		r.send(m.bytes(r))
		if got := r.outcome(); !strings.HasPrefix(got, m.want) || m.want == "" {
			return fmt.Errorf("move %d, %s: got %q, want %q", i+1, m.what, got, m.want)
		}
	}
	return nil
}

// lines are those of the client in the node's log.
func (r *rawClient) lines() (found string) {
	port := fmt.Sprintf(" port=%d", r.conn.LocalAddr().(*net.TCPAddr).Port)
	for line := range strings.Lines(r.node.log.String()) {
		if strings.Contains(line, port+" ") || strings.Contains(line, port+"\n") {
			found += line
		}
	}
	return found
}

// leaves ends the connection, and returns what the node has logged of it.
func (r *rawClient) leaves() (lines string) {
	r.t.Helper()
	r.conn.Close()
	eventually(r.t, func() bool {
		lines = r.lines()
		return strings.Contains(lines, "disconnected before a login") || strings.Contains(lines, "msg=logout")
	}, "the end of a connection in the node's log:\n%s", &r.node.log)
	return lines
}

// nothingLeft waits until no worker of the node is there any more, and looks for
// sessions of users who were not to have any.
func (n *node) nothingLeft(users ...string) {
	n.t.Helper()
	eventually(n.t, func() bool {
		return len(slices.DeleteFunc(childrenOf(n.t, n.cmd.Process.Pid, "\x00worker\x00"), isSpare)) == 0
	}, "no worker that is left")
	for _, user := range users {
		if got := calls(user); strings.Contains(got, "open_session") || strings.Contains(got, "setcred") {
			n.t.Errorf("calls for %s: got %s, want no session and no credentials", user, got)
		}
	}
}

// siege is a connection that must not get in. logs is a part of why it ended.
type siege struct {
	name  string
	moves []move
	logs  string
}

// withstands runs attacks at once, one connection each.
func (n *node) withstands(attacks []siege) {
	n.t.Helper()
	n.t.Run("against", func(t *testing.T) {
		for _, a := range attacks {
			t.Run(a.name, func(t *testing.T) {
				t.Parallel()
				n.withstand(t, a)
			})
		}
	})
}

func (n *node) withstand(t *testing.T, a siege) {
	r := n.raw(t)
	err := r.plays(a.moves...)
	lines := r.leaves()
	if strings.Contains(lines, "login accepted") || strings.Contains(lines, "msg=login ") {
		err = errors.Join(err, errors.New("the log has a login"))
	}
	if !strings.Contains(lines, a.logs) {
		err = errors.Join(err, fmt.Errorf("no %q in the log", a.logs))
	}
	if err != nil {
		t.Errorf("%v\nin the log:\n%s", err, lines)
	}
}

// letsIn shows that moves which are right get in, so that others fail for their
// own reason.
func (n *node) letsIn(moves ...move) {
	n.t.Helper()
	r := n.raw(n.t)
	if err := r.plays(moves...); err != nil {
		n.t.Errorf("a login that is right: %v", err)
	}
	r.leaves()
}
