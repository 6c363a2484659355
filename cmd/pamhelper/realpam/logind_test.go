package realpam_test

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
)

// Where pam_systemd looks for logind.
const (
	seats     = "/run/systemd/seats"
	systemBus = "/run/dbus/system_bus_socket"
)

const busConfig = `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
 <type>system</type>
 <auth>EXTERNAL</auth>
 <listen>unix:path=` + systemBus + `</listen>
 <policy context="default"><allow user="*"/><allow own="*"/><allow send_destination="*"/><allow eavesdrop="true"/></policy>
</busconfig>
`

// haveSeats makes the machine look like one that runs logind. The test may not be
// parallel: every stack would see it.
func haveSeats(t *testing.T) {
	t.Helper()
	ready(t)
	if err := os.MkdirAll(seats, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Remove(seats) })
}

// startBus runs a system bus until the test ends, and connects to it.
func startBus(t *testing.T) *dbus.Conn {
	t.Helper()
	ready(t)
	if err := os.MkdirAll(filepath.Dir(systemBus), 0o755); err != nil {
		t.Fatal(err)
	}
	config := t.TempDir() + "/bus.conf"
	writeFile(t, config, busConfig)
	daemon := exec.Command("dbus-daemon", "--config-file="+config, "--nofork", "--nopidfile", "--nosyslog")
	daemon.Stderr = t.Output()
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		daemon.Process.Kill()
		daemon.Wait()
		os.Remove(systemBus)
	})
	var bus *dbus.Conn
	var err error
	eventually(t, func() bool {
		bus, err = dbus.Connect("unix:path=" + systemBus)
		return err == nil
	}, "a connection to the bus")
	t.Cleanup(func() { bus.Close() })
	return bus
}

// createSession is what CreateSession of org.freedesktop.login1.Manager gets
// (org.freedesktop.login1(5)). PID 0, the caller, is the caller's here.
type createSession struct {
	UID, PID                            uint32
	Service, Type, Class, Desktop, Seat string
	VT                                  uint32
	TTY, Display                        string
	Remote                              bool
	RemoteUser, RemoteHost              string
}

// logind stands in for systemd-logind: it writes down what it is asked for, and
// makes the user's runtime directory.
type logind struct {
	bus      *dbus.Conn
	mu       sync.Mutex
	created  []createSession
	released []string
	theirs   *os.File // the descriptor of the last session: logind sees when all copies are closed
	ours     *os.File
}

type property struct {
	Name  string
	Value dbus.Variant
}

// startLogind answers on a bus of its own.
func startLogind(t *testing.T) *logind {
	t.Helper()
	haveSeats(t)
	bus := startBus(t)
	l := &logind{bus: bus}
	if err := bus.Export(l, "/org/freedesktop/login1", "org.freedesktop.login1.Manager"); err != nil {
		t.Fatal(err)
	}
	if reply, err := bus.RequestName("org.freedesktop.login1", dbus.NameFlagDoNotQueue); err != nil || reply != dbus.RequestNameReplyPrimaryOwner {
		t.Fatalf("own logind's name: %v, %v", reply, err)
	}
	return l
}

// CreateSession is logind's method. Its results are: id, object, runtime
// directory, session descriptor, uid, seat, terminal number, existing.
func (l *logind) CreateSession(caller dbus.Sender, uid, pid uint32, service, kind, class, desktop, seat string, vt uint32, tty, display string,
	remote bool, remoteUser, remoteHost string, _ []property,
) (string, dbus.ObjectPath, string, dbus.UnixFD, uint32, string, uint32, bool, *dbus.Error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	runtime := fmt.Sprintf("/run/user/%d", uid)
	if err := l.begin(string(caller), runtime, uid, &pid); err != nil {
		return "", "/", "", 0, 0, "", 0, false, dbus.MakeFailedError(err)
	}
	l.created = append(l.created, createSession{uid, pid, service, kind, class, desktop, seat, vt, tty, display, remote, remoteUser, remoteHost})
	id := fmt.Sprint("c", len(l.created))
	return id, dbus.ObjectPath("/org/freedesktop/login1/session/" + id), runtime, dbus.UnixFD(l.theirs.Fd()), uid, seat, vt, false, nil
}

// begin finds the session's leader, and makes the runtime directory and the
// descriptor.
func (l *logind) begin(caller, runtime string, uid uint32, pid *uint32) (err error) {
	if *pid == 0 {
		if err := l.bus.BusObject().Call("org.freedesktop.DBus.GetConnectionUnixProcessID", 0, caller).Store(pid); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(runtime, 0o700); err != nil {
		return err
	}
	if err := os.Chown(runtime, int(uid), int(uid)); err != nil {
		return err
	}
	l.ours, l.theirs, err = os.Pipe()
	return err
}

// ReleaseSession is logind's method.
func (l *logind) ReleaseSession(id string) *dbus.Error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.released = append(l.released, id)
	return nil
}

// asked is what logind was asked for, each session that was released by its id.
func (l *logind) asked() (created []createSession, released string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.created, fmt.Sprint(l.released)
}

// given closes logind's own copy of the session's descriptor, when the module has
// another one. The function it returns waits until that is closed too.
func (l *logind) given(t *testing.T) (gone func()) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.theirs.Close()
	ours := l.ours
	t.Cleanup(func() { ours.Close() })
	return func() {
		t.Helper()
		ours.SetReadDeadline(time.Now().Add(patience))
		if n, err := ours.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("the session's descriptor: got %d bytes, %v; want it closed by the worker's end", n, err)
		}
	}
}
