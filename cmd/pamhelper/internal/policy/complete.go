package policy

import (
	"google.golang.org/protobuf/proto"

	pb "github.com/pamhelper/pamhelper/proto"
)

// complete fills in the defaults, which the comments of the schema name.
func complete(p *pb.Policy) {
	for _, s := range p.Service {
		completeService(s)
	}
	if p.Limits == nil {
		p.Limits = &pb.PolicyLimits{}
	}
	completeLimits(p.Limits)
	if p.Deadlines == nil {
		p.Deadlines = &pb.Deadlines{}
	}
	completeDeadlines(p.Deadlines)
	fill(&p.LoginRecords, true)
	fill(&p.KillLeftovers, false)
}

func completeService(s *pb.Service) {
	if s.Proof == nil {
		s.Proof = pb.Service_PAM.Enum()
	}
	fill(&s.Tty, "ssh")
	fill(&s.Remote, true)
	fill(&s.AllowRuser, false)
	fill(&s.AllowEmptyPassword, false)
	fill(&s.AccountFirst, false)
	fill(&s.AllowCanonicalUser, false)
	if s.Users == nil {
		s.Users = &pb.Users{}
	}
	fill(&s.Users.MinimumUid, 1000)
	fill(&s.Users.AllowRoot, false)
	if s.Commands != nil {
		fill(&s.Commands.Shell, false)
	}
	if s.ClientVariables == nil {
		s.ClientVariables = &pb.Names{Name: []string{"LANG", "LC_*", "SSH_CLIENT", "SSH_CONNECTION", "SSH_ORIGINAL_COMMAND"}}
	}
}

const defaultLogins = 1000

func completeLimits(l *pb.PolicyLimits) {
	fill(&l.Logins, defaultLogins)
	fill(&l.UnopenedLogins, min(100, *l.Logins))
	fill(&l.LoginsPerUser, 100)
	fill(&l.StartsPerSecond, 100)
	fill(&l.StartsAtOnce, 200)
}

func completeDeadlines(d *pb.Deadlines) {
	fill(&d.Login, 120)
	fill(&d.Prompt, 60)
	fill(&d.Close, 15)
	fill(&d.Hangup, 1)
	fill(&d.Terminate, 2)
}

// fill gives a field that is left out its default.
func fill[T any](field **T, value T) {
	if *field == nil {
		*field = &value
	}
}

// completeMessage is complete for the one message, whichever it is of a policy.
func completeMessage(m proto.Message) {
	switch m := m.(type) {
	case *pb.Policy:
		complete(m)
	case *pb.Service:
		completeService(m)
	case *pb.Users:
		s := &pb.Service{Users: m}
		completeService(s)
	case *pb.Commands:
		s := &pb.Service{Commands: m}
		completeService(s)
	case *pb.PolicyLimits:
		completeLimits(m)
	case *pb.Deadlines:
		completeDeadlines(m)
	}
}
