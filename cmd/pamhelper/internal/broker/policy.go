package broker

import (
	"fmt"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pamhelper/pamhelper/cmd/pamhelper/internal/policy"
	pb "github.com/pamhelper/pamhelper/proto"
)

// policyInForce is the policy that new workers get: they get what it was when it
// was found to be valid, in a file in memory that nobody can change.
type policyInForce struct {
	path string

	mu      sync.Mutex
	policy  *pb.Policy
	text    *os.File
	longest time.Duration // that a worker of any policy so far may take to close a login
}

func loadPolicy(path string) (*policyInForce, error) {
	p := &policyInForce{path: path}
	return p, p.reread()
}

// reread reads the policy. One that is not valid changes nothing.
func (p *policyInForce) reread() error {
	file, err := policy.Open(p.path)
	if err != nil {
		return err
	}
	if !file.BuiltIn && p.path == "" {
		// When that file is not there any more, such as while an editor writes it, the
		// built-in policy, which may allow more, does not take its place.
		p.path = policy.Location
	}
	read := file.Policy
	text, err := policy.Encode(read)
	if err != nil {
		return fmt.Errorf("keep the policy: %w", err)
	}
	kept, err := sealed(text)
	if err != nil {
		return fmt.Errorf("keep the policy: %w", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.text != nil {
		p.text.Close()
	}
	p.policy, p.text = read, kept
	p.longest = max(p.longest, closingOf(read.GetDeadlines()))
	return nil
}

// open returns the policy's text for one worker, with a position of its own.
func (p *policyInForce) open() (*os.File, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return os.Open(fmt.Sprintf("/proc/self/fd/%d", p.text.Fd()))
}

func (p *policyInForce) limits() limits {
	p.mu.Lock()
	defer p.mu.Unlock()
	l := p.policy.GetLimits()
	return limits{logins: l.GetLogins(), perSecond: l.GetStartsPerSecond(), atOnce: l.GetStartsAtOnce()}
}

// closing is how long a worker may take to close its login when it is told to.
func (p *policyInForce) closing() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.longest
}

// aroundClosing is what comes on top of the deadlines of the policy: processes that
// are slow to die, the locks on the machine's login records, a busy machine.
const aroundClosing = 20 * time.Second

func closingOf(d *pb.Deadlines) time.Duration {
	return time.Duration(d.GetClose()+d.GetHangup()+d.GetTerminate())*time.Second + aroundClosing
}

// sealed returns a file in memory that cannot be changed any more (memfd_create(2)).
func sealed(content []byte) (*os.File, error) {
	fd, err := unix.MemfdCreate("policy", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, err
	}
	file := os.NewFile(uintptr(fd), "policy")
	_, err = file.Write(content)
	if err == nil {
		_, err = unix.FcntlInt(file.Fd(), unix.F_ADD_SEALS, unix.F_SEAL_SEAL|unix.F_SEAL_SHRINK|unix.F_SEAL_GROW|unix.F_SEAL_WRITE)
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}
