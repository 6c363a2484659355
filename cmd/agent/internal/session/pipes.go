package session

import (
	"context"
	"io"
	"os"
	"sync"
	"syscall"

	"github.com/pamhelper/pamhelper/cmd/agent/internal/output"
	"github.com/pamhelper/pamhelper/pkg/ipc"
)

// piped is a process without a terminal.
type piped struct {
	s                     *session
	process               *ipc.Process
	stdin, stdout, stderr *os.File // our ends
}

var _ running = (*piped)(nil)

func (s *session) overPipes(ctx context.Context, kind string, command ipc.Command) (running, error) {
	p := &piped{s: s}
	var err error
	defer func() { closeAll(command.Stdin, command.Stdout, command.Stderr) }()
	if command.Stdin, p.stdin, err = os.Pipe(); err == nil {
		if p.stdout, command.Stdout, err = os.Pipe(); err == nil {
			p.stderr, command.Stderr, err = os.Pipe()
		}
	}
	if err == nil {
		p.process, err = s.Client.Start(ctx, command)
	}
	if err != nil {
		closeAll(p.stdin, p.stdout, p.stderr)
		return nil, err
	}
	s.started(p.process, kind)
	return p, nil
}

func (p *piped) follow(ctx context.Context) {
	defer closeAll(p.stdout, p.stderr)
	var feeding sync.WaitGroup
	feeding.Go(func() {
		defer p.stdin.Close()
		feed(p.stdin, p.s.input)
	})
	defer feeding.Wait()
	outputs := []*output.Output{
		output.Pass(p.stdout, p.s.channel, func() int { return output.InPipe(p.stdout) }),
		output.Pass(p.stderr, p.s.channel.Stderr(), func() int { return output.InPipe(p.stderr) }),
	}
	exit, err := p.process.Wait(ctx)
	p.stdin.Close() // what the client sends now is for nobody
	for _, o := range outputs {
		o.Finish()
		<-o.Passed
	}
	if err != nil {
		p.s.lost(err)
		return
	}
	p.s.end(exit)
}

func (p *piped) resize(ipc.Size) {}

func (p *piped) signal(name string) { signal(p.process, name) }

// hangUp ends a process that nobody can talk to any more.
func (p *piped) hangUp() { p.process.Signal(syscall.SIGHUP) } // one that has ended needs none

// feed passes on what the client sends until it sends no more. Where the process
// takes no more, the rest is dropped, as sshd does: it would be held here.
func feed(to *os.File, from io.Reader) {
	pass(to, from)
	drop(from)
}

func pass(to *os.File, from io.Reader) {
	pooled := buffers.Get().(*[bufferSize]byte)
	defer buffers.Put(pooled)
	defer clear(pooled[:])
	for grown := false; ; {
		n, err := from.Read(pooled[:])
		if n == len(pooled) && !grown {
			output.Grow(to)
			grown = true
		}
		if _, failed := to.Write(pooled[:n]); err != nil || failed != nil {
			return
		}
	}
}

// drop reads to the end.
func drop(from io.Reader) {
	for buf := make([]byte, 512); ; {
		if _, err := from.Read(buf); err != nil {
			return
		}
	}
}

const bufferSize = 32 << 10

var buffers = sync.Pool{New: func() any { return new([bufferSize]byte) }}
