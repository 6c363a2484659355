package broker

import (
	"errors"
	"io"
	"os"

	"github.com/pamhelper/pamhelper/pkg/ipc"
	pb "github.com/pamhelper/pamhelper/proto"
)

// answerRequests answers the agent's requests, one after the other, until the control
// socket ends or its deadline passes, and closes it. An agent that does not read its
// replies keeps nobody else waiting.
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
			b.control.LetGo()
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
	b.control.LetGo() // at most as long as the broker
}
