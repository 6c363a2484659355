package wire_test

import (
	"errors"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/pamhelper/pamhelper/pkg/ipc/wire"
	pb "github.com/pamhelper/pamhelper/proto"
)

func TestDecodePolicyKnowsEveryFieldOfTheSchema(t *testing.T) {
	wantPolicy := func(path string, want proto.Message) {
		var got pb.Policy
		if err := wire.DecodePolicy(marshalled(t, want), &got); err != nil || !proto.Equal(&got, want) {
			t.Errorf("%s: got %v, %v, want %v", path, &got, err, want)
		}
	}
	count := 0
	eachField(&pb.Policy{}, func(path string, want proto.Message) {
		count++
		wantPolicy(path, want)
	})
	if count < 38 {
		t.Errorf("%d fields were tried, want all of the schema", count)
	}
	full := &pb.Policy{}
	fill(full.ProtoReflect(), 0)
	wantPolicy("all at once", full)
}

// An optional field that has its default is there: allow nobody is not allow anybody.
func TestDecodePolicyKeepsWhatIsThereWithItsDefault(t *testing.T) {
	no, none, empty := false, uint32(0), ""
	want := &pb.Policy{LoginRecords: &no, Limits: &pb.PolicyLimits{}, Deadlines: &pb.Deadlines{Hangup: &none}, Service: []*pb.Service{
		{Name: "sshd", Proof: pb.Service_PAM.Enum(), Tty: &empty, Remote: &no, Commands: &pb.Commands{Shell: &no}, ClientVariables: &pb.Names{}, Users: &pb.Users{MinimumUid: &none}}, {},
	}}
	var got pb.Policy
	if err := wire.DecodePolicy(marshalled(t, want), &got); err != nil || !proto.Equal(&got, want) {
		t.Errorf("got %v, %v, want %v", &got, err, want)
	}
}

func TestDecodePolicyRefusesAnUnknownFieldAtEveryPlace(t *testing.T) {
	eachField(&pb.Policy{}, func(path string, p proto.Message) {
		anywhere(p, protoreflect.RawFields{0xc0, 0x3e, 1})
		if err := wire.DecodePolicy(marshalled(t, p), new(pb.Policy)); !errors.Is(err, wire.ErrUnknown) {
			t.Errorf("%s: got %v, want %v", path, err, wire.ErrUnknown)
		}
	})
}
