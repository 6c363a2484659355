package preflight

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"google.golang.org/protobuf/encoding/prototext"

	"github.com/pamhelper/pamhelper/pkg/ipc/names"
	pb "github.com/pamhelper/pamhelper/proto"
)

// DefaultPolicy is where the helper reads its policy.
const DefaultPolicy = "/etc/pamhelper/policy.textproto"

// maxPolicy is more than the helper reads of one, in bytes.
const maxPolicy = 2 << 20

// installed compares the helper's policy with what the services need. What else may
// be wrong with it, and with the rights of the file, pamhelper policy check says.
func (r *Report) installed(services []service, file string) {
	text, err := readPolicy(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		r.missing(services, file)
		return
	case errors.Is(err, fs.ErrPermission):
		r.add(Note, file, "the helper's policy was not looked at: it is not for this user to read; run this as root too")
		return
	case err != nil:
		r.add(Error, file, "the helper's policy: %v", err)
		return
	}
	var policy pb.Policy
	if prototext.Unmarshal(text, &policy) != nil {
		r.add(Error, file, "is no policy, and the helper would serve nobody; where it is wrong says: pamhelper policy check %s", file)
		return
	}
	for _, s := range services {
		r.suits(s, &policy, file)
	}
}

func readPolicy(file string) ([]byte, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxPolicy {
		return nil, fmt.Errorf("%s is no file of at most %d bytes", file, maxPolicy)
	}
	return os.ReadFile(file)
}

// missing is what the helper does without a file.
func (r *Report) missing(services []service, file string) {
	unwritten := &pb.Policy{Service: []*pb.Service{{Name: "sshd"}}}
	level := Warning // it is what comes next
	if startedByBroker() {
		level = Error
	}
	for _, s := range services {
		if len(unlike(s, unwritten)) > 0 {
			r.add(level, file, "is not there: the helper would serve sshd alone, with proof PAM; write the policy below into it")
			return
		}
	}
	r.add(OK, file, "is not there, and not needed: the helper serves sshd")
}

// suits says what is to be changed in the policy for one service.
func (r *Report) suits(s service, policy *pb.Policy, file string) {
	problems := unlike(s, policy)
	for _, problem := range problems {
		r.add(Error, file, "the service %s %s; compare with the policy below", s.name, problem)
	}
	if len(problems) == 0 {
		r.add(OK, file, "has the service %s as this configuration needs it; whether all of it is right says: pamhelper policy check %s", s.name, file)
	}
}

// unlike is how the policy differs from what a service needs.
func unlike(s service, policy *pb.Policy) (problems []string) {
	at := slices.IndexFunc(policy.GetService(), func(served *pb.Service) bool { return served.GetName() == s.name })
	if at < 0 {
		return []string{"is not in it, and would be refused"}
	}
	served := policy.GetService()[at]
	if served.GetProof() != s.proof {
		problems = append(problems, fmt.Sprintf("has proof %s in it, and this configuration needs %s", served.GetProof(), s.proof))
	}
	if served.GetAccountFirst() != s.first {
		problems = append(problems, fmt.Sprintf("has account_first: %v in it, and this configuration %v", served.GetAccountFirst(), s.first))
	}
	if served.Remote != nil && !served.GetRemote() {
		problems = append(problems, "has remote: false in it, and each login of an SSH service has an address")
	}
	var kept []string
	for _, name := range s.variables {
		if !names.Admits(served.GetVariable(), name) {
			kept = append(kept, name)
		}
	}
	if len(kept) > 0 {
		problems = append(problems, "does not admit the variables "+strings.Join(kept, ", ")+" in it, and logins that have them are refused")
	}
	return problems
}
