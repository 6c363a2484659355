package ipctest

import (
	"context"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/pamhelper/pamhelper/pkg/ipc"
	pb "github.com/pamhelper/pamhelper/proto"
)

// Broker is the broker of an agent that is tested. Its workers are those of Helper.
type Broker struct {
	Helper *Helper
	// Refuse is asked before each worker, and says why there is none now; nil: there
	// is one.
	Refuse func() *ipc.BusyError

	control *ipc.Conn
	serving sync.WaitGroup
}

// Start starts it and returns the agent's side, as ipc.OpenBroker does.
func (b *Broker) Start() (*ipc.Broker, error) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	ours, err := ipc.UnixConn(os.NewFile(uintptr(fds[0]), "agent"))
	if err != nil {
		syscall.Close(fds[1])
		return nil, err
	}
	theirs, err := ipc.UnixConn(os.NewFile(uintptr(fds[1]), "broker"))
	if err != nil {
		ours.Close()
		return nil, err
	}
	b.control = ipc.NewControlConn(ours)
	b.serving.Go(func() {
		for {
			if _, err := b.control.ReadBrokerRequest(); err != nil || b.answer() != nil {
				return
			}
		}
	})
	return ipc.NewBroker(theirs), nil
}

// End ends it, as a broker that is killed. Its workers go on.
func (b *Broker) End() {
	b.control.Close()
	b.serving.Wait()
}

func (b *Broker) answer() error {
	if b.Refuse != nil {
		if busy := b.Refuse(); busy != nil {
			return b.control.Write(&pb.BrokerReply{Outcome: &pb.BrokerReply_Busy{Busy: &pb.Busy{
				RetryAfterMs: uint32(busy.RetryAfter / time.Millisecond), Text: busy.Text,
			}}})
		}
	}
	worker, err := b.Helper.Launch(context.Background())
	if err != nil {
		return b.control.Write(&pb.BrokerReply{Outcome: &pb.BrokerReply_Failed{Failed: &pb.NoWorker{Text: err.Error()}}})
	}
	defer worker.Close()
	socket, err := worker.(*net.UnixConn).File()
	if err != nil {
		return err
	}
	defer socket.Close()
	return b.control.WriteFiles(&pb.BrokerReply{Outcome: &pb.BrokerReply_Worker{Worker: &pb.WorkerSocket{}}}, []*os.File{socket})
}
