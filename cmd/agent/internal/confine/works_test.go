package confine_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/pamhelper/pamhelper/pkg/ipc"
	"golang.org/x/sys/unix"
)

// listener is a TCP socket that listens, and its descriptor for plain calls.
type listener struct {
	net.Listener
	fd int
}

// listen is without Multipath TCP, which Landlock does not see.
func listen(g *ground) (listener, error) {
	var config net.ListenConfig
	config.SetMultipathTCP(false)
	l, err := config.Listen(context.Background(), "tcp4", "127.0.0.1:0")
	if err != nil {
		return listener{}, err
	}
	f, err := l.(*net.TCPListener).File()
	if err != nil {
		return listener{}, err
	}
	g.tcp = &unix.SockaddrInet4{Addr: loopback, Port: l.Addr().(*net.TCPAddr).Port}
	return listener{l, int(f.Fd())}, unix.SetNonblock(int(f.Fd()), false)
}

// newWorks are what a serving agent does all day, and has to be able to do when it
// is confined. What each needs from before is made here.
func newWorks(g *ground, l listener) map[string]func() error {
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, unix.SIGHUP)
	messages, err := ipc.UnixConn(os.NewFile(messagesFD, "messages"))
	return map[string]func() error{
		"serve":     func() error { return echo(l) },
		"read":      func() error { return readIs(g.dir+"/file", "new\n") },
		"list":      func() error { _, err := os.ReadDir(g.dir); return err },
		"receive":   func() error { return errors.Join(err, receive(messages)) },
		"pass on":   func() error { return errors.Join(err, passOn(messages)) },
		"resize":    func() error { return resize(terminalFD) },
		"helper":    func() error { return talk(g.dir + "/socket") },
		"forward":   func() error { return forward(g.dir+"/socket", l) },
		"signal":    func() error { return hangup(hangups) },
		"allocate":  allocate,
		"threads":   manyThreads,
		"random":    random,
		"zone":      zone,
		"interface": func() error { return linkLocal() },
		"panic":     func() error { go panic("a goroutine's panic"); select {} },
		"fault": func() error {
			go func() { var nothing *int; *nothing = 1 }()
			select {}
		},
	}
}

func echo(l net.Listener) error {
	conn, err := l.Accept()
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return err
	}
	tcp := conn.(*net.TCPConn)
	if err := errors.Join(tcp.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: time.Minute, Interval: time.Minute, Count: 3}),
		tcp.SetNoDelay(true), tcp.SetLinger(1), acknowledge(tcp)); err != nil {
		return err
	}
	_, err = io.Copy(conn, conn)
	return err
}

func acknowledge(c *net.TCPConn) (err error) {
	raw, rawErr := c.SyscallConn()
	if rawErr != nil {
		return rawErr
	}
	rawErr = raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_QUICKACK, 1) })
	return errors.Join(rawErr, err)
}

func readIs(path, want string) error {
	got, err := os.ReadFile(path)
	if err == nil && string(got) != want {
		return fmt.Errorf("%s holds %q, want %q", path, got, want)
	}
	return err
}

// receive reads from a descriptor that comes in a message.
func receive(messages *net.UnixConn) error {
	buf, oob := make([]byte, 16), make([]byte, unix.CmsgSpace(4))
	_, n, _, _, err := messages.ReadMsgUnix(buf, oob)
	if err != nil {
		return err
	}
	control, err := unix.ParseSocketControlMessage(oob[:n])
	if err != nil {
		return err
	}
	fds, err := unix.ParseUnixRights(&control[0])
	if err != nil {
		return err
	}
	f := os.NewFile(uintptr(fds[0]), "received")
	defer f.Close()
	got, err := io.ReadAll(f)
	if err == nil && string(got) != "through the pipe" {
		return fmt.Errorf("read %q", got)
	}
	return err
}

// passOn makes a pipe, and sends one end of it away.
func passOn(messages *net.UnixConn) error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	if _, _, err := messages.WriteMsgUnix([]byte("w"), unix.UnixRights(int(w.Fd())), nil); err != nil {
		return err
	}
	w.Close()
	got, err := io.ReadAll(r)
	if err == nil && string(got) != "back" {
		return fmt.Errorf("read %q", got)
	}
	return err
}

func resize(fd int) error {
	if err := unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 50, Col: 132}); err != nil {
		return err
	}
	size, err := unix.IoctlGetWinsize(fd, unix.TIOCGWINSZ)
	if err == nil && size.Col != 132 {
		return fmt.Errorf("%d columns, want 132", size.Col)
	}
	modes, err2 := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err2 != nil {
		return err2
	}
	return errors.Join(err, unix.IoctlSetTermios(fd, unix.TCSETS, modes))
}

func talk(path string) error {
	conn, err := net.Dial("unix", path)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("hello")); err != nil {
		return err
	}
	buf := make([]byte, 5)
	_, err = io.ReadFull(conn, buf)
	return err
}

// forward copies between kinds of sockets, which Go does with splice.
func forward(path string, l net.Listener) error {
	helper, err := net.Dial("unix", path)
	if err != nil {
		return err
	}
	defer helper.Close()
	client, err := l.Accept()
	if err != nil {
		return err
	}
	defer client.Close()
	there := make(chan error)
	go func() {
		_, err := io.Copy(helper, client)
		helper.(*net.UnixConn).CloseWrite()
		there <- err
	}()
	_, err = io.Copy(client, helper)
	return errors.Join(err, <-there)
}

func hangup(hangups <-chan os.Signal) error {
	if err := unix.Kill(os.Getpid(), unix.SIGHUP); err != nil {
		return err
	}
	<-hangups
	return nil
}

// allocate keeps the collector busy from many goroutines.
func allocate() error {
	var all sync.WaitGroup
	for range 2000 {
		all.Go(func() {
			var kept [][]byte
			for i := range 20 {
				kept = append(kept, bytes.Repeat([]byte{byte(i)}, 2048))
			}
			runtime.Gosched()
			runtime.KeepAlive(kept)
		})
	}
	runtime.GC()
	all.Wait()
	runtime.GC()
	return nil
}

// manyThreads needs threads that were not there before.
func manyThreads() error {
	var all, there sync.WaitGroup
	there.Add(50)
	for range 50 {
		all.Go(func() {
			runtime.LockOSThread() // and the thread ends with it
			there.Done()
			there.Wait()
		})
	}
	all.Wait()
	return nil
}

func random() error {
	a, b := make([]byte, 32), make([]byte, 32)
	rand.Read(a)
	rand.Read(b)
	if bytes.Equal(a, b) || bytes.Equal(a, make([]byte, 32)) {
		return errors.New("not random")
	}
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err == nil && len(ed25519.Sign(key, a)) != ed25519.SignatureSize {
		return errors.New("no signature")
	}
	return err
}

// zone is about the time zone that the test set, which is read from a file.
func zone() error {
	if name, offset := time.Date(2026, 1, 1, 0, 0, 0, 0, time.Local).Zone(); name != "EST" {
		return fmt.Errorf("the time zone is %s, %d", name, offset)
	}
	return nil
}

// linkLocal is what a client with a link-local address makes net ask: the name of
// an interface, which it then has to do without.
func linkLocal() error {
	_, err := net.InterfaceByIndex(1)
	if err == nil || !strings.Contains(err.Error(), "not permitted") {
		return fmt.Errorf("%v, want a refusal", err)
	}
	return nil
}

// The other ends of works.

func exchange(address, text string) error {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	defer conn.Close()
	go func() {
		io.WriteString(conn, text)
		conn.(*net.TCPConn).CloseWrite()
	}()
	got, err := io.ReadAll(conn)
	if err == nil && string(got) != text {
		return fmt.Errorf("%d bytes came back, want %d, the same", len(got), len(text))
	}
	return err
}

func sendPipe(messages *net.UnixConn) error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer w.Close()
	defer r.Close()
	if _, _, err := messages.WriteMsgUnix([]byte("r"), unix.UnixRights(int(r.Fd())), nil); err != nil {
		return err
	}
	_, err = io.WriteString(w, "through the pipe")
	return err
}

func writeBack(messages *net.UnixConn) error {
	buf, oob := make([]byte, 1), make([]byte, unix.CmsgSpace(4))
	_, n, _, _, err := messages.ReadMsgUnix(buf, oob)
	if err != nil {
		return err
	}
	control, err := unix.ParseSocketControlMessage(oob[:n])
	if err != nil {
		return err
	}
	fds, err := unix.ParseUnixRights(&control[0])
	if err != nil {
		return err
	}
	f := os.NewFile(uintptr(fds[0]), "passed on")
	defer f.Close()
	_, err = io.WriteString(f, "back")
	return err
}
