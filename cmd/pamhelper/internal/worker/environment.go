package worker

import (
	"bytes"
	"strings"

	"github.com/pamhelper/pamhelper/cmd/pamhelper/internal/policy"
	"github.com/pamhelper/pamhelper/cmd/pamhelper/internal/userprocess"
	"github.com/pamhelper/pamhelper/pkg/ipc/names"
	pb "github.com/pamhelper/pamhelper/proto"
)

// userPath is the PATH of a user's process, as Debian's sshd has it.
const (
	userPath = "/usr/local/bin:/usr/bin:/bin:/usr/games"
	rootPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
)

// environment is what a process of the user begins with; what comes later wins:
// what the client asked for and the policy admits, the base of every login, what
// PAM's modules set (MAIL is pam_mail's to set, as with Debian's sshd), the name of
// the terminal. The second result counts what was not admitted.
func (w *worker) environment(start *pb.Start, a userprocess.Passwd, tty string) ([]string, uint32) {
	e := environment{}
	omitted := uint32(0)
	for _, v := range start.GetVariables() {
		if !w.admits(string(v.GetName())) || bytes.IndexByte(v.GetValue(), 0) >= 0 {
			omitted++
			continue
		}
		e.set(string(v.GetName()), string(v.GetValue()))
	}
	e.set("USER", a.Name)
	e.set("LOGNAME", a.Name)
	e.set("HOME", a.Home)
	e.set("PATH", pathOf(a))
	e.set("SHELL", a.Shell)
	if t := start.GetTerminal(); t.GetType() != "" {
		e.set("TERM", t.GetType())
	}
	for _, v := range w.tx.Environment() {
		e.set(v.Name, v.Value)
	}
	if tty != "" {
		e.set("SSH_TTY", tty)
	}
	return e.list, omitted
}

func pathOf(a userprocess.Passwd) string {
	if a.UID == 0 {
		return rootPath
	}
	return userPath
}

// admits reports whether a client may choose a variable of the user's process.
func (w *worker) admits(name string) bool {
	if !names.IsClientVariable(name) {
		return false
	}
	return w.debug != nil || policy.AdmitsClientVariable(w.served, name)
}

// environment is a list of NAME=VALUE, each name once.
type environment struct{ list []string }

func (e *environment) set(name, value string) {
	for i, assignment := range e.list {
		if strings.HasPrefix(assignment, name+"=") {
			e.list[i] = name + "=" + value
			return
		}
	}
	e.list = append(e.list, name+"="+value)
}
