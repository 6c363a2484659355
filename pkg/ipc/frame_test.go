package ipc

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"testing"

	"google.golang.org/protobuf/proto"

	pb "github.com/pamhelper/pamhelper/proto"
)

func TestFrameRoundTrip(t *testing.T) {
	want := &pb.Request{Body: &pb.Request_Answer{Answer: &pb.Answer{Id: 7, Text: []byte("secret")}}}
	buf, err := AppendFrame([]byte("before"), want)
	if err != nil {
		t.Fatal(err)
	}
	body, err := ReadFrame(bytes.NewReader(buf[len("before"):]))
	if err != nil {
		t.Fatal(err)
	}
	got := new(pb.Request)
	if err := proto.Unmarshal(body, got); err != nil || !proto.Equal(got, want) {
		t.Errorf("got %v (%v), want %v", got, err, want)
	}
}

func TestReadFrameRefuses(t *testing.T) {
	for _, c := range []struct {
		name  string
		input []byte
		want  error
	}{
		{"nothing", nil, io.EOF},
		{"half a header", []byte{0, 0}, io.ErrUnexpectedEOF},
		{"length 0", []byte{0, 0, 0, 0}, ErrEmptyFrame},
		{"length above the cap", []byte{0, 0x10, 0, 1}, ErrFrameTooLarge},
		{"length of 4 GiB", []byte{0xff, 0xff, 0xff, 0xff}, ErrFrameTooLarge},
		{"no body", []byte{0, 0, 0, 1}, io.ErrUnexpectedEOF},
		{"half a body", []byte{0, 0, 0, 2, 1}, io.ErrUnexpectedEOF},
	} {
		if _, err := ReadFrame(bytes.NewReader(c.input)); !errors.Is(err, c.want) {
			t.Errorf("%s: error %v, want %v", c.name, err, c.want)
		}
	}
}

func TestLongestFrame(t *testing.T) {
	input := binary.BigEndian.AppendUint32(nil, MaxFrame)
	body, err := ReadFrame(bytes.NewReader(append(input, make([]byte, MaxFrame)...)))
	if err != nil || len(body) != MaxFrame {
		t.Errorf("%d bytes, error %v, want %d bytes", len(body), err, MaxFrame)
	}
}

func TestOversizedLengthAllocatesNothing(t *testing.T) {
	input := bytes.NewReader([]byte{0xff, 0xff, 0xff, 0xff})
	allocated := testing.AllocsPerRun(100, func() {
		input.Seek(0, io.SeekStart)
		ReadFrame(input)
	})
	if allocated > 5 {
		t.Errorf("%v allocations for a refused frame, want the error's few", allocated)
	}
}

func TestAppendFrameRefuses(t *testing.T) {
	large := &pb.Request{Body: &pb.Request_Answer{Answer: &pb.Answer{Text: make([]byte, MaxFrame)}}}
	if _, err := AppendFrame(nil, large); !errors.Is(err, ErrFrameTooLarge) {
		t.Errorf("error %v, want %v", err, ErrFrameTooLarge)
	}
	if _, err := AppendFrame(nil, &pb.Request{}); !errors.Is(err, ErrEmptyFrame) {
		t.Errorf("error %v, want %v", err, ErrEmptyFrame)
	}
}

func FuzzReadFrame(f *testing.F) {
	f.Add([]byte{0, 0, 0, 0})
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 1})
	f.Add([]byte{0, 0, 0, 2, 0x52, 0})
	f.Fuzz(func(t *testing.T, input []byte) {
		body, err := ReadFrame(bytes.NewReader(input))
		if err != nil {
			return
		}
		if len(body) == 0 || len(body) > MaxFrame || !bytes.Equal(body, input[headerLen:headerLen+len(body)]) {
			t.Fatalf("body of %d bytes from %d", len(body), len(input))
		}
		req := new(pb.Request)
		if proto.Unmarshal(body, req) != nil || proto.Size(req) == 0 {
			return
		}
		again, err := AppendFrame(nil, req)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ReadFrame(bytes.NewReader(again)); err != nil {
			t.Fatalf("a frame we wrote: %v", err)
		}
	})
}

func BenchmarkFrameEncode(b *testing.B) {
	m := &pb.Event{Body: &pb.Event_Prompt{Prompt: &pb.Prompt{Id: 1, Style: pb.Style_PROMPT_ECHO_OFF, Text: []byte("Password: ")}}}
	buf := make([]byte, 0, 256)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := AppendFrame(buf, m); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkFrameDecode(b *testing.B) {
	m := &pb.Event{Body: &pb.Event_Prompt{Prompt: &pb.Prompt{Id: 1, Style: pb.Style_PROMPT_ECHO_OFF, Text: []byte("Password: ")}}}
	frame, err := AppendFrame(nil, m)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		body, err := ReadFrame(bytes.NewReader(frame))
		if err != nil {
			b.Fatal(err)
		}
		if err := proto.Unmarshal(body, new(pb.Event)); err != nil {
			b.Fatal(err)
		}
	}
}
