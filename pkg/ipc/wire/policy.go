package wire

import (
	"google.golang.org/protobuf/encoding/protowire"

	pb "github.com/pamhelper/pamhelper/proto"
)

// DecodePolicy decodes a Policy, as a broker gives it to its workers, into p, an empty
// one. Whether it makes sense is not looked at. The error is one of DecodeRequest.
func DecodePolicy(message []byte, p *pb.Policy) error {
	return fields(message, func(f field) error {
		switch f.number {
		case 1:
			s := new(pb.Service)
			p.Service = append(p.Service, s)
			f.again = false
			return f.message(func(f field) error { return serviceField(s, f) })
		case 2:
			p.Limits = new(pb.PolicyLimits)
			return f.message(func(f field) error { return limitsField(p.Limits, f) })
		case 3:
			p.Deadlines = new(pb.Deadlines)
			return f.message(func(f field) error { return deadlinesField(p.Deadlines, f) })
		case 4:
			return f.optionalBool(&p.LoginRecords)
		case 5:
			return f.optionalBool(&p.KillLeftovers)
		case 6:
			return f.texts(&p.Agent)
		}
		return ErrUnknown
	})
}

func serviceField(s *pb.Service, f field) error {
	switch f.number {
	case 1:
		return f.text(&s.Name)
	case 2:
		s.Proof = pb.Service_Proof(int32(f.varint)).Enum()
		return f.is(protowire.VarintType)
	case 3:
		s.Tty = new(string)
		return f.text(s.Tty)
	case 4:
		return f.optionalBool(&s.Remote)
	case 5:
		return f.optionalBool(&s.AllowRuser)
	case 6:
		return f.optionalBool(&s.AllowEmptyPassword)
	case 7:
		return f.optionalBool(&s.AccountFirst)
	case 8:
		return f.optionalBool(&s.AllowCanonicalUser)
	case 9:
		s.Users = new(pb.Users)
		return f.message(func(f field) error { return usersField(s.Users, f) })
	case 10:
		s.Commands = new(pb.Commands)
		return f.message(func(f field) error { return commandsField(s.Commands, f) })
	case 11:
		return f.texts(&s.Variable)
	case 12:
		return f.texts(&s.ModuleGetenv)
	case 13:
		s.ClientVariables = new(pb.Names)
		return f.message(func(f field) error { return namesField(s.ClientVariables, f) })
	}
	return ErrUnknown
}

func usersField(u *pb.Users, f field) error {
	switch f.number {
	case 1:
		return f.texts(&u.Allow)
	case 2:
		return f.texts(&u.Deny)
	case 3:
		return f.texts(&u.AllowGroup)
	case 4:
		return f.texts(&u.DenyGroup)
	case 5:
		return f.optionalUint32(&u.MinimumUid)
	case 6:
		return f.optionalBool(&u.AllowRoot)
	}
	return ErrUnknown
}

func commandsField(c *pb.Commands, f field) error {
	switch f.number {
	case 1:
		return f.optionalBool(&c.Shell)
	case 2:
		return f.texts(&c.Line)
	}
	return ErrUnknown
}

func namesField(n *pb.Names, f field) error {
	if f.number == 1 {
		return f.texts(&n.Name)
	}
	return ErrUnknown
}

func limitsField(l *pb.PolicyLimits, f field) error {
	switch f.number {
	case 1:
		return f.optionalUint32(&l.Logins)
	case 2:
		return f.optionalUint32(&l.UnopenedLogins)
	case 3:
		return f.optionalUint32(&l.LoginsPerUser)
	case 4:
		return f.optionalUint32(&l.StartsPerSecond)
	case 5:
		return f.optionalUint32(&l.StartsAtOnce)
	}
	return ErrUnknown
}

func deadlinesField(d *pb.Deadlines, f field) error {
	switch f.number {
	case 1:
		return f.optionalUint32(&d.Login)
	case 2:
		return f.optionalUint32(&d.Prompt)
	case 3:
		return f.optionalUint32(&d.Close)
	case 4:
		return f.optionalUint32(&d.Hangup)
	case 5:
		return f.optionalUint32(&d.Terminate)
	}
	return ErrUnknown
}
