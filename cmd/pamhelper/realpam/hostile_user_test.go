package realpam_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pamhelper/pamhelper/pkg/ipc"
)

// tracer builds testdata/tracer.c where every user may run it.
var tracer = sync.OnceValues(func() (string, error) {
	program := base + "/tracer"
	return program, command("gcc", "-Wall", "-Wextra", "-Werror", "-o", program, "testdata/tracer.c")
})

// traced starts a shell that its user traces. A line of input ends it with
// status 3. It returns the tracer, which survives the login.
func (g *ground) traced(client *ipc.Client, mode string) (*ipc.Process, int) {
	g.t.Helper()
	program, err := tracer()
	if err != nil {
		g.t.Fatal(err)
	}
	p, pids := start(g.t, client, fmt.Sprintf("%s %s $$ & read line; exit 3", program, mode))
	g.survivors = append(g.survivors, pids[0])
	return p, pids[0]
}

func TestTheEndOfAProcessIsToldWhenItsTracerHasLetItGo(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	client, _ := g.open()
	p, tracer := g.traced(client, "watches")
	if _, err := p.Master.WriteString("\n"); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() bool { return !alive(p.PID) }, "the end of the shell")
	soon, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if exit, err := p.Wait(soon); err == nil {
		t.Errorf("while only the tracer can see the end: got %+v, want no answer", exit)
	}
	kill([]int{tracer})
	late, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if exit, err := p.Wait(late); err != nil || exit.Status != 3 {
		t.Errorf("when the tracer has gone: got %+v, %v; want status 3", exit, err)
	}
}

func TestAProcessThatItsTracerKeepsFromEndingDoesNotKeepTheWorker(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	client, log := g.open()
	p, tracer := g.traced(client, "holds")
	worker := pidOf(t, log)
	ended := make(chan error, 1)
	go func() { ended <- client.Close() }()
	gone(t, worker)
	waitCalls(t, g.user, whole)
	kill([]int{tracer})
	eventually(t, func() bool { return !alive(p.PID) }, "the end of the shell, when nobody holds it")
	<-ended
}

// ownFiles gives the helper a utmp and a wtmp of its own, and returns a function
// that locks both, as everybody can who may read them.
func (g *ground) ownFiles() (lock func()) {
	g.t.Helper()
	dir := g.t.TempDir()
	for _, path := range []string{"/run/utmp", "/var/log/wtmp"} {
		writeFile(g.t, filepath.Join(dir, filepath.Base(path)), "")
		g.before("mount --bind '" + filepath.Join(dir, filepath.Base(path)) + "' " + path)
	}
	return func() {
		g.t.Helper()
		for _, name := range []string{"utmp", "wtmp"} {
			f, err := os.Open(filepath.Join(dir, name))
			if err != nil {
				g.t.Fatal(err)
			}
			g.t.Cleanup(func() { f.Close() })
			if err := unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &unix.Flock_t{Type: unix.F_RDLCK}); err != nil {
				g.t.Fatal(err)
			}
		}
	}
}

func TestAnybodysLockOnTheLoginRecordsDoesNotKeepASessionFromBeingClosed(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	lock := g.ownFiles()
	client, log := g.open()
	p, _ := start(t, client, "echo ready; read line")
	lock()
	if _, err := p.Master.WriteString("\n"); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() bool { return !alive(p.PID) }, "the end of the shell")
	worker := pidOf(t, log)
	client.Close() // returns when the worker has ended
	gone(t, worker)
	waitCalls(t, g.user, whole)
}

func TestAnybodysLockOnTheLoginRecordsDoesNotKeepASweepFromClosing(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	lock := g.ownFiles()
	g.died()
	lock()
	g.swept(0, "closed")
	waitCalls(t, g.user, whole)
}
