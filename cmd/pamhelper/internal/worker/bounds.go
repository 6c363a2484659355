// What is too much or not well-formed in a request, whatever the policy says: also
// a debugging worker holds to it.

package worker

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/pamhelper/pamhelper/cmd/pamhelper/internal/policy"
	pb "github.com/pamhelper/pamhelper/proto"
)

const (
	maxVariables     = 256
	maxVariableBytes = 64 << 10
	maxUser          = 256
	maxItem          = 256
)

// bounded says what is too much in a Hello.
func bounded(h *pb.Hello) error {
	long := func(name string) bool { return len(name) > 64 }
	if len(h.GetFeatures()) > 32 || slices.ContainsFunc(h.GetFeatures(), long) {
		return violation("more than 32 features, or a name of more than 64 bytes")
	}
	return nil
}

// boundedStart says what is too much in a Start. Its variables are looked at one
// by one when the process starts: a client's odd one must not end a login.
func boundedStart(s *pb.Start) error {
	if len(s.GetCommand()) > policy.MaxCommand || len(s.GetTerminal().GetType()) > maxItem {
		return violation(fmt.Sprintf("a command of more than %d bytes, or a terminal type of more than %d", policy.MaxCommand, maxItem))
	}
	if count, size := len(s.GetVariables()), sizeOf(s.GetVariables()); count > maxVariables || size > maxVariableBytes {
		return violation(tooMany(count, size))
	}
	return nil
}

// wellFormed says what in a Begin cannot be given to PAM at all.
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
