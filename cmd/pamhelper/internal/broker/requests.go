package broker

import (
	"errors"
	"io"
	"os"
	"time"

	"github.com/pamhelper/pamhelper/pkg/ipc"
	pb "github.com/pamhelper/pamhelper/proto"
)

// answerRequests answers the agent's requests, one after the other, until the control
// socket ends or its deadline passes, and closes it. An agent that does not read its replies keeps
// nobody else waiting.
func (b *broker) answerRequests() {
	for {
		request, err := b.control.ReadBrokerRequest()
		if err != nil {
			b.noMoreRequests(err)
			return
		}
		if !isNewWorker(request) {
			b.noMoreRequests(&ipc.ViolationError{Text: "a request that a broker does not know"})
			return
		}
		if !b.newWorker() {
			letGo(b.control)
			return
		}
	}
}

// isNewWorker reports whether a request is the one that there is, and no more.
func isNewWorker(request *pb.BrokerRequest) bool {
	return request.GetNewWorker() != nil && len(request.ProtoReflect().GetUnknown()) == 0 &&
		len(request.GetNewWorker().ProtoReflect().GetUnknown()) == 0
}

// newWorker answers NewWorker, and reports whether the agent could be answered.
func (b *broker) newWorker() bool {
	if busy := b.workers.admit(); busy != nil {
		b.refusals.log("no worker for the agent: " + busy.GetText())
		return b.reply(&pb.BrokerReply{Outcome: &pb.BrokerReply_Busy{Busy: busy}})
	}
	socket, err := b.startWorker()
	if err != nil {
		b.refusals.log("no worker for the agent: " + err.Error())
		return b.reply(&pb.BrokerReply{Outcome: &pb.BrokerReply_Failed{Failed: &pb.NoWorker{Text: "the helper cannot be started; the broker's log says why"}}})
	}
	defer socket.Close()
	return b.reply(&pb.BrokerReply{Outcome: &pb.BrokerReply_Worker{Worker: &pb.WorkerSocket{}}}, socket)
}

func (b *broker) reply(reply *pb.BrokerReply, files ...*os.File) bool {
	return b.control.WriteFiles(reply, files) == nil
}

// noMoreRequests closes the control socket: logins that are open go on, as long as
// the agent does.
func (b *broker) noMoreRequests(why error) {
	var violation *ipc.ViolationError
	switch {
	case errors.As(why, &violation):
		b.violated <- violation.Text
	case errors.Is(why, io.ErrUnexpectedEOF):
		b.violated <- "the control socket ended inside a frame"
	}
	letGo(b.control)
}

// letGoWait is how long closing the control socket is waited for.
const letGoWait = 100 * time.Millisecond

// letGo closes the control socket, and with it the descriptors in it that nobody has
// read. The agent decides how long that takes (socket(7), SO_LINGER): it goes on
// behind this, at most as long as the broker.
func letGo(control *ipc.Conn) {
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		control.Close()
	}()
	select {
	case <-closed:
	case <-time.After(letGoWait):
	}
}
