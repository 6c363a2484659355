package worker

import (
	"net"
	"slices"
	"testing"

	"github.com/pamhelper/pamhelper/pkg/ipc"
	"github.com/pamhelper/pamhelper/pkg/pamstack/libpam"
	pb "github.com/pamhelper/pamhelper/proto"
)

// FuzzConnection sends a sequence of requests, one for each byte, and then raw
// bytes to a whole worker over a fake transaction: it always comes to an end,
// undoes what it began exactly once, and never takes a step out of order.
func FuzzConnection(f *testing.F) {
	f.Add([]byte{1, 2, 3, 4, 6, 7, 8, 9}, []byte(nil), false, false)
	f.Add([]byte{1, 2, 3, 10, 4, 6, 7}, []byte{0, 0, 0, 0}, true, false)
	f.Add([]byte{1, 2, 3, 11, 4, 4}, []byte{0xff, 0xff, 0xff, 0xff}, true, false)
	f.Add([]byte{1, 1}, []byte{0, 0, 0, 3, 1, 2, 3}, false, false)
	f.Add([]byte{1, 2, 3, 4, 6, 5, 6, 7, 8, 9}, []byte(nil), false, true)
	f.Fuzz(func(t *testing.T, sequence, raw []byte, prompts, expires bool) {
		l := newFakeLogin(t, nil)
		l.fake.prompts = prompts
		order := []string{"authenticate", "account", "credentials", "open session", "close session"}
		if expires {
			l.fake.codes = map[pb.Step]libpam.Status{pb.Step_ACCOUNT: libpam.NewAuthtokReqd}
			order = slices.Insert(order, 2, "change password")
		}
		served := make(chan struct{})
		go func() {
			defer close(served)
			l.serve()
		}()
		play(l.agent.(*net.UnixConn), sequence, raw)
		<-served
		if began := l.fake.config.Conversation != nil; began && l.fake.undone != 1 || !began && l.fake.undone != 0 {
			t.Fatalf("begun %v, undone %d times", began, l.fake.undone)
		}
		for i, step := range l.fake.taken {
			if step != order[i] {
				t.Fatalf("run %v", l.fake.taken)
			}
		}
	})
}

// play is the agent: it sends the sequence, cancels every prompt, sends the raw
// bytes when every request has its event, and leaves.
func play(agent *net.UnixConn, sequence, raw []byte) {
	conn := ipc.NewConn(agent)
	expected := 0
	for _, b := range sequence {
		switch kind := int(b) % (int(end) + 3); {
		case kind <= int(end):
			conn.Write(requests[request(kind)]) // the unknown one cannot be sent: it is empty
			if kind != int(unknown) {
				expected++
			}
		default:
			conn.Write(&pb.Request{Body: &pb.Request_Answer{Answer: &pb.Answer{Id: uint64(kind - int(end)), Text: []byte("secret")}}})
		}
	}
	for {
		if expected == 0 {
			agent.Write(raw)
			agent.CloseWrite()
		}
		event, _, err := conn.ReadEvent()
		switch {
		case err != nil:
			return
		case event.GetPrompt() != nil:
			conn.Write(&pb.Request{Body: &pb.Request_Cancel{Cancel: &pb.Cancel{Id: event.GetPrompt().GetId()}}})
		case event.GetMessage() == nil:
			expected--
		}
	}
}
