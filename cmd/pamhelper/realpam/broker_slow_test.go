package realpam_test

import (
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/pamhelper/pamhelper/pkg/ipc"
	pb "github.com/pamhelper/pamhelper/proto"
)

func TestDescriptorsThatAreSlowToCloseDoNotKeepTheBroker(t *testing.T) {
	request, err := ipc.AppendFrame(nil, &pb.BrokerRequest{Body: &pb.BrokerRequest_NewWorker{NewWorker: &pb.NewWorker{}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		first []byte // what is read; behind it stays what nobody reads
	}{
		{"with a request", request},
		{"behind a frame that is none", []byte{0, 0, 0, 0}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newGround(t).broker()
			stop(t, b.cmd.Process.Pid) // all of it is there before any is read
			for n := range 4 {
				text := request
				if n == 0 {
					text = c.first
				}
				slow := lingering(t)
				if _, _, err := b.control.WriteMsgUnix(text, unix.UnixRights(int(slow.Fd())), nil); err != nil {
					t.Fatal(err)
				}
				slow.Close() // the one in the socket is the last
			}
			b.signal(syscall.SIGCONT)
			b.says("SIGTERM")
			b.logs("broke the protocol")
			b.signal(syscall.SIGUSR1)
			b.says("SIGUSR1")
			syscall.Kill(b.agent, syscall.SIGKILL)
			b.exits(128 + int(syscall.SIGKILL))
		})
	}
}
