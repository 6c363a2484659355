package wire

import (
	"fmt"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"

	pb "github.com/pamhelper/pamhelper/proto"
)

// DecodeRequest decodes a Request into r, an empty one. Its bytes are copied. The error
// is ErrMalformed, ErrUnknown or ErrTwice, with the body's name; what was decoded
// before stands in r then, and may be a secret. A Request has one body at most: a
// second one is a field that is there twice.
func DecodeRequest(message []byte, r *pb.Request) error {
	err := fields(message, func(f field) error {
		var next pb.Request
		each := setBody(&next, f.number)
		switch {
		case each == nil || f.kind != protowire.BytesType:
			return ErrUnknown
		case r.Body != nil:
			return ErrTwice
		}
		r.Body = next.Body
		return fields(f.bytes, each)
	})
	if err != nil && err != ErrMalformed {
		return fmt.Errorf("%s with %w", nameOf(r), err)
	}
	return err
}

func nameOf(r *pb.Request) string {
	if r.Body == nil {
		return "Request"
	}
	return strings.TrimPrefix(fmt.Sprintf("%T", r.Body), "*pamhelperpb.Request_")
}

// setBody gives a request the body of that number in the schema, and returns what
// takes its fields, nil where there is none.
func setBody(r *pb.Request, number protowire.Number) func(field) error {
	switch number {
	case 1:
		hello := new(pb.Hello)
		r.Body = &pb.Request_Hello{Hello: hello}
		return func(f field) error { return helloField(hello, f) }
	case 2:
		begin := new(pb.Begin)
		r.Body = &pb.Request_Begin{Begin: begin}
		return func(f field) error { return beginField(begin, f) }
	case 3:
		r.Body = &pb.Request_Authenticate{Authenticate: new(pb.Authenticate)}
		return nothing
	case 4:
		r.Body = &pb.Request_Account{Account: new(pb.Account)}
		return nothing
	case 5:
		r.Body = &pb.Request_ChangePassword{ChangePassword: new(pb.ChangePassword)}
		return nothing
	case 6:
		r.Body = &pb.Request_Credentials{Credentials: new(pb.Credentials)}
		return nothing
	case 7:
		r.Body = &pb.Request_OpenSession{OpenSession: new(pb.OpenSession)}
		return nothing
	case 8:
		start := new(pb.Start)
		r.Body = &pb.Request_Start{Start: start}
		return func(f field) error { return startField(start, f) }
	case 9:
		signal := new(pb.Signal)
		r.Body = &pb.Request_Signal{Signal: signal}
		return func(f field) error { return signalField(signal, f) }
	case 10:
		r.Body = &pb.Request_CloseSession{CloseSession: new(pb.CloseSession)}
		return nothing
	case 11:
		r.Body = &pb.Request_End{End: new(pb.End)}
		return nothing
	case 12:
		answer := new(pb.Answer)
		r.Body = &pb.Request_Answer{Answer: answer}
		return func(f field) error { return answerField(answer, f) }
	case 13:
		cancel := new(pb.Cancel)
		r.Body = &pb.Request_Cancel{Cancel: cancel}
		return func(f field) error { return cancelField(cancel, f) }
	}
	return nil
}

func helloField(m *pb.Hello, f field) error {
	switch f.number {
	case 1:
		return f.uint32(&m.Version)
	case 2:
		return f.texts(&m.Features)
	}
	return ErrUnknown
}

func beginField(m *pb.Begin, f field) error {
	switch f.number {
	case 1:
		return f.text(&m.Service)
	case 2:
		return f.copyTo(&m.User)
	case 3:
		return f.text(&m.Rhost)
	case 4:
		return f.copyTo(&m.Ruser)
	case 5:
		return f.variable(&m.Variables)
	case 6:
		return f.uint32(&m.LoginTimeoutMs)
	case 7:
		return f.uint32(&m.PromptTimeoutMs)
	case 8:
		return f.uint32(&m.CloseTimeoutMs)
	case 9:
		return f.text(&m.LoginId)
	}
	return ErrUnknown
}

func startField(m *pb.Start, f field) error {
	switch f.number {
	case 1:
		return f.copyTo(&m.Command)
	case 2:
		return f.variable(&m.Variables)
	case 3:
		m.Terminal = new(pb.Terminal)
		return f.message(func(f field) error { return terminalField(m.Terminal, f) })
	case 4:
		return f.uint32(&m.Descriptors)
	}
	return ErrUnknown
}

func terminalField(m *pb.Terminal, f field) error {
	switch f.number {
	case 1:
		return f.text(&m.Type)
	case 2:
		return f.uint32(&m.Columns)
	case 3:
		return f.uint32(&m.Rows)
	case 4:
		return f.uint32(&m.WidthPx)
	case 5:
		return f.uint32(&m.HeightPx)
	case 6:
		return f.copyTo(&m.Modes)
	}
	return ErrUnknown
}

func signalField(m *pb.Signal, f field) error {
	switch f.number {
	case 1:
		return f.uint32(&m.Process)
	case 2:
		m.Number = pb.Signal_Number(int32(f.varint))
		return f.is(protowire.VarintType)
	}
	return ErrUnknown
}

func answerField(m *pb.Answer, f field) error {
	switch f.number {
	case 1:
		return f.uint64(&m.Id)
	case 2:
		return f.copyTo(&m.Text)
	case 3:
		return f.uint32(&m.Control)
	}
	return ErrUnknown
}

func cancelField(m *pb.Cancel, f field) error {
	if f.number == 1 {
		return f.uint64(&m.Id)
	}
	return ErrUnknown
}

// variable adds one to a repeated field.
func (f field) variable(to *[]*pb.Variable) error {
	v := new(pb.Variable)
	*to = append(*to, v)
	f.again = false
	return f.message(func(f field) error {
		switch f.number {
		case 1:
			return f.copyTo(&v.Name)
		case 2:
			return f.copyTo(&v.Value)
		}
		return ErrUnknown
	})
}
