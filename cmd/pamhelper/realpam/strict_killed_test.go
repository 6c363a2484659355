package realpam_test

import (
	"errors"
	"fmt"
	"syscall"
	"testing"

	"github.com/pamhelper/pamhelper/pkg/ipc"
)

// pidOf waits for a worker's process id in its log.
func pidOf(t *testing.T, log *workerLog) (pid int) {
	t.Helper()
	eventually(t, func() bool {
		n, _ := fmt.Sscanf(log.String(), "pid=%d\n", &pid)
		return n == 1
	}, "a process id in the worker's log: %s", log)
	return pid
}

func TestWorkerToldToStopClosesTheSession(t *testing.T) {
	t.Parallel()
	client, log := dialHelper(t, &person{answers: []string{password}}, withPID)
	if results, err := client.Login(t.Context(), loginOf("oscar"), ipc.Authenticate, ipc.Account, ipc.Credentials, ipc.OpenSession); err != nil {
		t.Fatalf("got %q, %v", show(results), err)
	}
	if err := syscall.Kill(pidOf(t, log), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	waitCalls(t, "oscar", wholeLogin)
	if results, err := client.Do(t.Context(), ipc.CloseSession); !errors.Is(err, ipc.ErrStopped) {
		t.Errorf("got %q, %v; want %v", show(results), err, ipc.ErrStopped)
	}
}

func TestWorkerToldToStopInAPrompt(t *testing.T) {
	t.Parallel()
	p := &person{}
	client, log := dialHelper(t, p, withPID)
	p.asked = func() {
		if err := syscall.Kill(pidOf(t, log), syscall.SIGTERM); err != nil {
			t.Error(err)
		}
	}
	results, err := client.Login(t.Context(), loginOf("pat"), ipc.Authenticate, ipc.Account)
	// The signal and the person's leaving race; either way it is no success.
	if !errors.Is(err, ipc.ErrStopped) && !errors.Is(err, ipc.AuthErr) {
		t.Errorf("got %q and error %v, want %v or %v", show(results), err, ipc.ErrStopped, ipc.AuthErr)
	}
	client.Close()
	waitCalls(t, "pat", "authenticate(0x1)")
}

func TestWorkerThatIsKilledIsNoSuccess(t *testing.T) {
	t.Parallel()
	p := &person{}
	client, log := dialHelper(t, p, withPID)
	p.asked = func() {
		if err := syscall.Kill(pidOf(t, log), syscall.SIGKILL); err != nil {
			t.Error(err)
		}
	}
	results, err := client.Login(t.Context(), loginOf("quentin"), ipc.Authenticate, ipc.Account)
	if !errors.Is(err, ipc.ErrHelperDied) || show(results) != "begin=PAM_SUCCESS" {
		t.Errorf("got %q, %v; want begin only, and %v", show(results), err, ipc.ErrHelperDied)
	}
}
