// What an agent may ask for. These are the built-in constants; nothing on the
// wire changes them.

package worker

import (
	"bytes"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/pamhelper/pamhelper/cmd/pamhelper/internal/proc"
	"github.com/pamhelper/pamhelper/pkg/ipc"
	"github.com/pamhelper/pamhelper/pkg/pamstack/libpam"
	pb "github.com/pamhelper/pamhelper/proto"
)

// policy is what the worker holds a login to.
type policy struct {
	services  []string // the only PAM services served
	tty       string   // PAM_TTY, whoever logs in from wherever
	variables []string // names an agent may put into the PAM environment
	// clientVariables are names of variables, or PREFIX*, that a client may
	// choose for the user's process.
	clientVariables []string
	grace           proc.Grace // how long the processes of a login may take to end
	login           time.Duration
	prompt          time.Duration
	close           time.Duration
	// closeFloor is the shortest close deadline an agent may ask for.
	closeFloor time.Duration
}

// builtin is the policy without a policy file: logins over the network through
// the sshd service, proved by PAM, never as root.
func builtin() policy {
	return policy{
		services:  []string{"sshd"},
		tty:       "ssh",
		variables: []string{"TELEPORT_USERNAME", "TELEPORT_ROLES"},

		clientVariables: []string{"LANG", "LC_*", "SSH_CLIENT", "SSH_CONNECTION"},
		grace:           proc.Grace{Hangup: time.Second, Terminate: 2 * time.Second, Kill: 2 * time.Second},

		login:  120 * time.Second,
		prompt: 60 * time.Second,
		close:  15 * time.Second,

		closeFloor: 5 * time.Second,
	}
}

const (
	maxVariables     = 256
	maxVariableBytes = 64 << 10
	maxUser          = 256
	maxItem          = 256
)

var userName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.@-]*\$?$`)

// admit says why a Begin is not allowed, or nil.
func (p policy) admit(b *pb.Begin) error {
	if !slices.Contains(p.services, b.GetService()) {
		return refuse("service %q is not served; this helper serves: %s", b.GetService(), strings.Join(p.services, ", "))
	}
	if user := b.GetUser(); !userName.Match(user) {
		return refuse("user name %s is not one; allowed are A-Z a-z 0-9 _ . @ -, starting with a letter or _, and one $ at the end",
			quoted(user))
	}
	if addr, err := netip.ParseAddr(b.GetRhost()); err != nil || addr.Zone() != "" {
		return refuse("rhost %s is not a numeric address; host names and an empty rhost are not taken", quoted([]byte(b.GetRhost())))
	}
	if len(b.GetRuser()) > 0 {
		return refuse("ruser is not taken")
	}
	for _, v := range b.GetVariables() {
		if !slices.Contains(p.variables, string(v.GetName())) {
			return refuse("variable %s is not admitted; admitted are: %s", quoted(v.GetName()), strings.Join(p.variables, ", "))
		}
	}
	return nil
}

// withoutProof are modules that let in without a proof of who somebody is: for
// what the caller is, which is root here, or for where a login comes from.
var withoutProof = map[string]string{
	"pam_rootok.so":      "lets in everybody for a caller that is root, as the helper is",
	"pam_rhosts.so":      "believes the machine that a login comes from",
	"pam_rhosts_auth.so": "believes the machine that a login comes from",
	"pam_timestamp.so":   "lets in who was asked a short time ago",
}

// provable refuses a service whose success proves nothing.
func provable(service string, authenticators []libpam.Bound) error {
	for _, a := range authenticators {
		if why, found := withoutProof[a.Module]; found {
			return refuse("service %q is not served: %s%s in its auth lines %s; use a service without it", service, a.Module,
				ipc.At(a.File, a.Line), why)
		}
	}
	return nil
}

// bounded says what is too much in a Hello.
func bounded(h *pb.Hello) error {
	long := func(name string) bool { return len(name) > 64 }
	if len(h.GetFeatures()) > 32 || slices.ContainsFunc(h.GetFeatures(), long) {
		return violation("more than 32 features, or a name of more than 64 bytes")
	}
	return nil
}

// maxCommand is one less than the longest argument of Linux (execve(2),
// MAX_ARG_STRLEN), in bytes.
const maxCommand = 128<<10 - 1

// terminalType is what names an entry of terminfo.
var terminalType = regexp.MustCompile(`^[A-Za-z0-9._+-]{0,64}$`)

// boundedStart says what is too much in a Start. Its variables are looked at one
// by one when the process starts: a client's odd one must not end a login.
func boundedStart(s *pb.Start) error {
	if len(s.GetCommand()) > maxCommand || len(s.GetTerminal().GetType()) > maxItem {
		return violation(fmt.Sprintf("a command of more than %d bytes, or a terminal type of more than %d", maxCommand, maxItem))
	}
	if count, size := len(s.GetVariables()), sizeOf(s.GetVariables()); count > maxVariables || size > maxVariableBytes {
		return violation(tooMany(count, size))
	}
	return nil
}

// wellFormed says what in a Begin cannot be given to PAM at all, whatever the
// policy: also a debugging worker holds to it.
func wellFormed(b *pb.Begin) error {
	if b.GetService() == "" || strings.ContainsAny(b.GetService(), "/\x00\n") || len(b.GetService()) > maxItem {
		return refuse("service %s is not a service's name; it is the name of a file in /etc/pam.d", quoted([]byte(b.GetService())))
	}
	for _, item := range []struct {
		name  string
		value string
		most  int
	}{{"user", string(b.GetUser()), maxUser}, {"rhost", b.GetRhost(), maxItem}, {"ruser", string(b.GetRuser()), maxItem}} {
		if len(item.value) > item.most || strings.ContainsAny(item.value, "\x00\n") {
			return refuse("%s %s has more than %d bytes, a newline or a NUL", item.name, quoted([]byte(item.value)), item.most)
		}
	}
	for _, v := range b.GetVariables() {
		if bytes.ContainsAny(v.GetName(), "=\x00") || len(v.GetName()) == 0 || bytes.IndexByte(v.GetValue(), 0) >= 0 {
			return refuse("variable %s is not a variable: a name without = or NUL, a value without NUL", quoted(v.GetName()))
		}
	}
	if count, size := len(b.GetVariables()), sizeOf(b.GetVariables()); count > maxVariables || size > maxVariableBytes {
		return refuse("%s", tooMany(count, size))
	}
	return nil
}

func sizeOf(variables []*pb.Variable) (size int) {
	for _, v := range variables {
		size += len(v.GetName()) + len(v.GetValue())
	}
	return size
}

func tooMany(count, size int) string {
	return fmt.Sprintf("%d variables of %d bytes; at most %d of %d bytes", count, size, maxVariables, maxVariableBytes)
}

func refuse(format string, args ...any) error {
	return &fault{kind: pb.Fault_REFUSED, text: fmt.Sprintf(format, args...)}
}

// quoted is a value that an agent or a module chose, for a message.
func quoted(value []byte) string {
	const most = 64
	if len(value) > most {
		return fmt.Sprintf("%q…", value[:most])
	}
	return fmt.Sprintf("%q", value)
}
