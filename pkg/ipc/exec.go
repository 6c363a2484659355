package ipc

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"sync"
	"time"
)

// Exec is a Launcher that starts the helper as a child of the caller, over a
// socketpair. The worker runs with the caller's privileges: it is for a caller
// that is root already, or a stack that needs no root.
type Exec struct {
	// Path of the pamhelper binary.
	Path string
	// Args are put behind the word "worker".
	Args []string
	// Log receives the worker's log, which also holds what modules print to
	// their standard output and error. Nil: it is thrown away.
	Log io.Writer
}

// WorkerEnvironment returns the whole environment to start a worker with. One processor
// for the runtime of Go is enough for a worker, and takes less time and memory: PAM's
// thread is outside of Go for most of a login. The worker passes none of it on.
func WorkerEnvironment() []string { return []string{"GOMAXPROCS=1"} }

// reapTimeout is how long closing waits for a worker to leave by itself: longer
// than it takes to end what the login started, to wait for locks on the machine's
// login records, and to come to the close deadline.
const reapTimeout = time.Minute

// Launch starts one worker. ctx bounds the start only, not the worker's life.
func (e Exec) Launch(ctx context.Context) (net.Conn, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	ours, theirs, err := socketpair()
	if err != nil {
		return nil, err
	}
	defer theirs.Close()

	cmd := exec.Command(e.Path, append([]string{"worker"}, e.Args...)...)
	cmd.Args[0] = "pamhelper" // as ps(1) shows it, whatever the path is
	cmd.Env = WorkerEnvironment()
	cmd.ExtraFiles = []*os.File{theirs}
	cmd.Stderr = e.Log
	// What a module left running may keep the log open: do not wait for that.
	cmd.WaitDelay = time.Second
	if err := cmd.Start(); err != nil {
		ours.Close()
		return nil, fmt.Errorf("start the helper: %w", err)
	}
	return &child{UnixConn: ours, cmd: cmd}, nil
}

// child is a connection to a worker that is also our child process.
type child struct {
	*net.UnixConn
	cmd  *exec.Cmd
	once sync.Once
}

// Close closes the socket and waits for the worker: it undoes the login first.
// One that does not leave in time is killed.
func (c *child) Close() error {
	var err error
	c.once.Do(func() {
		err = c.UnixConn.Close()
		kill := time.AfterFunc(reapTimeout, func() { c.cmd.Process.Kill() })
		defer kill.Stop()
		c.cmd.Wait() // the protocol told how it ended
	})
	return err
}
