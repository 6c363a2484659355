// What an agent may say in Begin: the policy's service.

package worker

import (
	"net/netip"
	"strings"

	"github.com/pamhelper/pamhelper/cmd/pamhelper/internal/policy"
	"github.com/pamhelper/pamhelper/pkg/ipc/names"
	pb "github.com/pamhelper/pamhelper/proto"
)

// admit returns the service that a Begin asks for, or says why it is not allowed.
func admit(p *pb.Policy, b *pb.Begin) (*pb.Service, error) {
	s := policy.ServiceOf(p, b.GetService())
	if s == nil {
		return nil, refuse("service %q is not served; this helper serves: %s", b.GetService(), strings.Join(served(p), ", "))
	}
	if user := b.GetUser(); !names.IsUser(string(user)) {
		return nil, refuse("user name %s is not one; allowed are A-Z a-z 0-9 _ . @ -, starting with a letter or _, and one $ at the end",
			quoted(user))
	}
	if err := admitOrigin(s, b); err != nil {
		return nil, err
	}
	for _, v := range b.GetVariables() {
		if !policy.AdmitsVariable(s, string(v.GetName())) {
			return nil, refuse("variable %s is not admitted through service %q; beside TELEPORT_USERNAME and TELEPORT_ROLES the policy admits: %s",
				quoted(v.GetName()), s.GetName(), listed(s.GetVariable()))
		}
	}
	return s, nil
}

// admitOrigin says why the place that a login comes from is not taken. A service
// for logins over the network without an address would pass for one at the machine.
func admitOrigin(s *pb.Service, b *pb.Begin) error {
	addr, err := netip.ParseAddr(b.GetRhost())
	switch rhost := quoted([]byte(b.GetRhost())); {
	case s.GetRemote() && (err != nil || addr.Zone() != ""):
		return refuse("rhost %s is not a numeric address; host names and an empty rhost are not taken", rhost)
	case !s.GetRemote() && b.GetRhost() != "":
		return refuse("rhost %s is not taken: the policy has service %q for logins that are not remote", rhost, s.GetName())
	case len(b.GetRuser()) > 0 && !s.GetAllowRuser():
		return refuse("ruser is not taken; the policy would need allow_ruser for service %q", s.GetName())
	case len(b.GetRuser()) > 0 && !names.IsUser(string(b.GetRuser())):
		return refuse("ruser %s is no user name", quoted(b.GetRuser()))
	}
	return nil
}

func served(p *pb.Policy) (list []string) {
	for _, s := range p.GetService() {
		list = append(list, s.GetName())
	}
	return list
}

// listed is a list of the policy, for a message.
func listed(list []string) string {
	if len(list) == 0 {
		return "none"
	}
	return strings.Join(list, ", ")
}
