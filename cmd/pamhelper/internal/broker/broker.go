// Package broker is the root parent of an agent that has no privileges: "pamhelper
// broker". It starts the agent, starts a worker for each login that the agent asks
// for and passes it the worker's socket, reaps what it started, and sweeps the
// login of a worker that died. Some workers it starts in advance: see spares.
//
// It lives as long as the agent and is the one process of root's that an agent can
// talk to all the time. So it does little: it calls no libpam, reads nothing from a
// worker's socket, and of the agent only requests of one kind, in frames of at most
// 4096 bytes. Whatever else comes ends the agent.
package broker

import (
	"context"
	"fmt"
	"log"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pamhelper/pamhelper/cmd/pamhelper/internal/record"
	"github.com/pamhelper/pamhelper/pkg/ipc"
)

// broker is one agent and its workers.
type broker struct {
	options  options
	log      *log.Logger
	program  *program
	children *children
	account  account
	policy   *policyInForce
	workers  *workers
	spares   *spares
	sweeps   *sweeps

	agent    *child
	stream   *net.UnixConn // the control socket
	control  *ipc.Conn     // what it carries
	refusals *refusals
	violated chan string // how the agent broke the protocol
	stopping <-chan time.Time
	passed   <-chan os.Signal // what is for the agent alone
}

// run is the broker's whole life.
func run(o options) error {
	signals, passed := heeded()
	b := &broker{options: o, passed: passed, log: log.New(os.Stderr, fmt.Sprintf("pamhelper[%d]: broker: ", os.Getpid()), 0), violated: make(chan string, 1)}
	b.refusals = &refusals{to: b.log}
	if err := b.prepare(); err != nil {
		return err
	}
	listening, err := listen(o.listen)
	if err != nil {
		return err
	}
	if sig := b.sweepAtStart(signals); sig != 0 {
		return ExitError{128 + int(sig)}
	}
	exited, output, err := b.startAgent(listening)
	if err != nil {
		return err
	}
	status := b.serve(signals, exited)
	output.finish()
	if status != 0 {
		return ExitError{status}
	}
	return nil
}

// prepare hardens the process and gets what it needs before it begins anything.
func (b *broker) prepare() (err error) {
	if b.account, err = lookup(b.options.user); err != nil {
		return err
	}
	if b.policy, err = loadPolicy(b.options.policy); err != nil {
		return err
	}
	if b.program, err = openProgram(); err != nil {
		return err
	}
	if err := canRecord(); err != nil {
		return err
	}
	// Nobody attaches to it or reads its memory, and it leaves no core dump.
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("make the broker not dumpable: %w", err)
	}
	unix.Umask(0o077)
	if err := os.Chdir("/"); err != nil {
		return err
	}
	b.children = newChildren()
	b.sweeps = newSweeps(b)
	b.workers = newWorkers(b.policy.limits())
	b.warnOfRoom()
	b.spares = newSpares(b, b.options.spare)
	return nil
}

// canRecord makes the directory of the records: no worker would serve without it.
func canRecord() error {
	records, err := record.OpenDir()
	if err == nil {
		records.Close()
		err = unix.Access(record.Dir, unix.W_OK) // root lacks that where nothing can be written
	}
	if err != nil {
		return fmt.Errorf("the records of logins cannot be kept in %s: %w", record.Dir, err)
	}
	return nil
}

// sweepAtStart closes what an earlier crash left, before there are new logins. It
// returns the signal that ended the waiting, 0 where none did.
func (b *broker) sweepAtStart(signals <-chan os.Signal) (ended syscall.Signal) {
	ctx, cancel := context.WithCancel(context.Background())
	swept := make(chan struct{})
	go func() {
		defer close(swept)
		b.sweeps.run(ctx)
	}()
	for {
		select {
		case <-swept:
			cancel()
			return ended
		case sig := <-signals:
			switch sig {
			case syscall.SIGHUP:
				b.reread()
			case syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT:
				ended = sig.(syscall.Signal)
				cancel()
			}
		}
	}
}

// serve does the broker's work as long as the agent lives, then closes what it left,
// and returns the exit status.
func (b *broker) serve(signals <-chan os.Signal, exited <-chan syscall.WaitStatus) int {
	var working sync.WaitGroup
	working.Go(b.spares.keep)
	working.Go(func() {
		defer b.spares.close()
		b.answerRequests()
	})
	ctx, stop := context.WithCancel(context.Background())
	var sweeping sync.WaitGroup
	sweeping.Go(func() { b.sweeps.whenWanted(ctx) })

	status := b.whileAgentLives(signals, exited)
	b.stream.SetDeadline(time.Now())
	working.Wait()
	b.spares.watching.Wait() // no new worker behind this
	b.endWorkers()
	stop()
	sweeping.Wait()
	b.sweeps.run(context.Background())
	return statusOf(status)
}

func (b *broker) whileAgentLives(signals <-chan os.Signal, exited <-chan syscall.WaitStatus) syscall.WaitStatus {
	for {
		select {
		case status := <-exited:
			return status
		case sig := <-signals:
			b.heed(sig.(syscall.Signal))
		case sig := <-b.passed:
			b.agent.signal(sig.(syscall.Signal))
		case how := <-b.violated:
			b.log.Printf("the agent broke the protocol of the control socket, and has to end: %s", how)
			b.stopAgent()
		case <-b.stopping:
			b.log.Printf("the agent, process %d, did not end in %s: it gets SIGKILL", b.agent.pid, b.options.stopTimeout)
			b.agent.signal(syscall.SIGKILL)
			b.stopping = nil
		}
	}
}

// endWorkers ends the logins that the agent left open. Its sockets have ended
// already, but for those that a child of its own still has.
func (b *broker) endWorkers() {
	bound := b.policy.closing()
	b.workers.signal(syscall.SIGTERM)
	if b.workers.wait(bound) {
		return
	}
	b.log.Printf("%d workers did not end in %s: they get SIGKILL", b.workers.signal(syscall.SIGKILL), bound)
	if !b.workers.wait(killTimeout) {
		b.log.Printf("%d workers do not end", b.workers.signal(syscall.SIGKILL))
	}
}

// killTimeout is how long a process may take to end behind SIGKILL.
const killTimeout = 10 * time.Second

// statusOf is the exit status of a process that has ended, as a shell has it.
func statusOf(status syscall.WaitStatus) int {
	if status.Signaled() {
		return 128 + int(status.Signal())
	}
	return status.ExitStatus()
}

// howEnded is the same for the log.
func howEnded(status syscall.WaitStatus) string {
	if status.Signaled() {
		return "was ended by " + unix.SignalName(status.Signal())
	}
	return fmt.Sprintf("ended with status %d", status.ExitStatus())
}
