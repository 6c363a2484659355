package broker

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// program is this binary, opened once: what is started from it is always the
// version that the broker is, whatever becomes of the file.
type program struct{ fd int }

// programFloor is above the descriptors that a child gets: putting those in their
// places does not close this one before it has been executed. And it leaves room for
// all that a message of the agent can bring (253): what the kernel drops for want of
// room it closes in the midst of reading, which can take as long as the agent wants.
// The pidfds of the workers are above it as well, and are counted: see kept and room.
const programFloor = 512

// raiseLimit is what to do where there are too few descriptors.
const raiseLimit = "raise its hard limit (ulimit -Hn, LimitNOFILE=)"

func openProgram() (*program, error) {
	self, err := os.Open("/proc/self/exe")
	if err != nil {
		return nil, fmt.Errorf("open this program: %w", err)
	}
	defer self.Close()
	fd, err := unix.FcntlInt(self.Fd(), unix.F_DUPFD_CLOEXEC, programFloor)
	if err == unix.EINVAL { // fcntl(2): above the limit
		return nil, fmt.Errorf("a broker needs more than %d descriptors: %s", programFloor, raiseLimit)
	}
	if err != nil {
		return nil, fmt.Errorf("open this program: %w", err)
	}
	return &program{fd}, nil
}

// path names it for a child of this process.
func (p *program) path() string { return fmt.Sprintf("/proc/self/fd/%d", p.fd) }
