package wire_test

import (
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/pamhelper/pamhelper/pkg/ipc/wire"
	pb "github.com/pamhelper/pamhelper/proto"
)

func TestEncodeEventWritesEveryFieldOfTheSchema(t *testing.T) {
	count := 0
	eachField(&pb.Event{}, func(path string, want proto.Message) {
		count++
		wantDecoded(t, path, want.(*pb.Event))
	})
	if count < 100 {
		t.Errorf("%d fields were tried, want all of the schema", count)
	}
}

func TestEncodeEventWritesWhatIsFullOfEverything(t *testing.T) {
	bodies := (&pb.Event{}).ProtoReflect().Descriptor().Fields()
	for i := range bodies.Len() {
		event := &pb.Event{}
		fill(event.ProtoReflect().Mutable(bodies.Get(i)).Message(), 0)
		wantDecoded(t, string(bodies.Get(i).Name()), event)
	}
}

// A part of a oneof is there with its default value too.
func TestEncodeEventWritesADefaultThatIsOneOfSeveral(t *testing.T) {
	wantDecoded(t, "code", &pb.Event{Body: &pb.Event_Result{Result: &pb.Result{Outcome: &pb.Result_Code{}}}})
	wantDecoded(t, "status", &pb.Event{Body: &pb.Event_Exited{Exited: &pb.Exited{How: &pb.Exited_Status{}}}})
	wantDecoded(t, "a code that no libpam has", &pb.Event{Body: &pb.Event_Result{Result: &pb.Result{Outcome: &pb.Result_Code{Code: -1}}}})
	wantDecoded(t, "a style that no libpam has", &pb.Event{Body: &pb.Event_Message{Message: &pb.Message{Style: -2}}})
	wantDecoded(t, "an empty feature", &pb.Event{Body: &pb.Event_Welcome{Welcome: &pb.Welcome{Features: []string{"", "a", ""}}}})
}

func TestEncodeEventGrows(t *testing.T) {
	for size := range 1200 {
		wantDecoded(t, "text", &pb.Event{Body: &pb.Event_Message{Message: &pb.Message{Text: make([]byte, size)}}})
	}
	wantDecoded(t, "large", &pb.Event{Body: &pb.Event_Message{Message: &pb.Message{Text: make([]byte, 300000)}}})
}

func TestEncodeRecordWritesEveryFieldOfTheSchema(t *testing.T) {
	eachField(&pb.Record{}, func(path string, want proto.Message) {
		var got pb.Record
		if err := proto.Unmarshal(wire.EncodeRecord(want.(*pb.Record)), &got); err != nil || !proto.Equal(&got, want) {
			t.Errorf("%s: got %v, %v, want %v", path, &got, err, want)
		}
	})
	full := &pb.Record{}
	fill(full.ProtoReflect(), 0)
	var got pb.Record
	if err := proto.Unmarshal(wire.EncodeRecord(full), &got); err != nil || !proto.Equal(&got, full) {
		t.Errorf("got %v, %v, want %v", &got, err, full)
	}
}

func wantDecoded(t *testing.T, path string, want *pb.Event) {
	t.Helper()
	const length = 4
	bytes, err := wire.EncodeEvent(length, want)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	var got pb.Event
	if err := proto.Unmarshal(bytes[length:], &got); err != nil || !proto.Equal(&got, want) {
		t.Errorf("%s: got %v, %v, want %v", path, &got, err, want)
	}
	if library := proto.Size(want); len(bytes)-length != library {
		t.Errorf("%s: got %d bytes, and the library takes %d", path, len(bytes)-length, library)
	}
}
