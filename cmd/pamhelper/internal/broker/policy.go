package broker

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/encoding/prototext"

	pb "github.com/pamhelper/pamhelper/proto"
)

// policyInForce is the policy that new workers get. They get its text, as it was
// when it was found to be valid, in a file in memory that nobody can change.
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
	policy, content, err := stubLoad(p.path)
	if err != nil {
		return err
	}
	text, err := sealed(content)
	if err != nil {
		return fmt.Errorf("keep the policy: %w", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.text != nil {
		p.text.Close()
	}
	p.policy, p.text = policy, text
	p.longest = max(p.longest, closingOf(policy.GetDeadlines()))
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

func stubLoad(path string) (*pb.Policy, []byte, error) {
	policy := &pb.Policy{}
	if path != "" {
		text, err := os.ReadFile(path)
		if err := errors.Join(err, prototext.Unmarshal(text, policy)); err != nil {
			return nil, nil, err
		}
	}
	if policy.Limits == nil {
		policy.Limits = &pb.PolicyLimits{}
	}
	def := func(p **uint32, v uint32) {
		if *p == nil {
			*p = &v
		}
	}
	def(&policy.Limits.Logins, 1000)
	def(&policy.Limits.StartsPerSecond, 100)
	def(&policy.Limits.StartsAtOnce, 200)
	if policy.Deadlines == nil {
		policy.Deadlines = &pb.Deadlines{}
	}
	def(&policy.Deadlines.Close, 15)
	return policy, nil, nil
}
