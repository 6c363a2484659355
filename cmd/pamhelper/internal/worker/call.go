package worker

import (
	"os"

	"github.com/pamhelper/pamhelper/pkg/ipc"
	pb "github.com/pamhelper/pamhelper/proto"
)

// call is a request that waits its turn, with the descriptors that came with it.
type call struct {
	*pb.Request
	files []*os.File
	lost  bool // the descriptors did not arrive: none was free
}

func (c *call) closeFiles() {
	ipc.Release(c.files)
	c.files = nil
}
