package realpam_test

import (
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pamhelper/pamhelper/pkg/ipc"
	pb "github.com/pamhelper/pamhelper/proto"
)

func TestAnAgentThatDoesNotReadCannotKeepASessionFromBeingClosed(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	w := g.wireOf(&pb.Begin{Service: "sshd", User: []byte(g.user), Rhost: remote, CloseTimeoutMs: 1})
	worker := pidOf(t, &w.log)
	// Refused requests, slowly enough not to be too many at once, until the answers
	// that are not read keep the worker from taking more.
	for n := 0; n < 2000 && w.Write(startRequest("true", 0)) == nil; n++ {
		if n%8 == 0 {
			time.Sleep(10 * time.Millisecond)
		}
	}
	gone(t, worker)
	waitCalls(t, g.user, whole)
}

// lingering is a descriptor that takes an hour to be closed (socket(7), SO_LINGER):
// the peer does not take what was sent.
func lingering(t *testing.T) *os.File {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	conn, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	peer, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { peer.Close() })
	defer conn.Close()
	conn.SetWriteDeadline(time.Now().Add(200 * time.Millisecond))
	for err == nil {
		_, err = conn.Write(make([]byte, 1<<16))
	}
	file, err := conn.(*net.TCPConn).File()
	if err != nil {
		t.Fatal(err)
	}
	linger := &unix.Linger{Onoff: 1, Linger: 3600}
	if err := unix.SetsockoptLinger(int(file.Fd()), unix.SOL_SOCKET, unix.SO_LINGER, linger); err != nil {
		t.Fatal(err)
	}
	return file
}

// stop stops a process, and returns when none of its threads runs any more: until
// then one of them may read what comes.
func stop(t *testing.T, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	tasks := fmt.Sprintf("/proc/%d/task", pid)
	eventually(t, func() bool {
		threads := names(t, tasks)
		return !slices.ContainsFunc(threads, func(thread string) bool {
			stat, _ := os.ReadFile(tasks + "/" + thread + "/stat")
			_, state, _ := strings.Cut(string(stat), ") ")
			return !strings.HasPrefix(state, "T")
		})
	}, "the stop of every thread of process %d", pid)
}

func TestDescriptorsThatAreSlowToCloseDoNotKeepALogin(t *testing.T) {
	for name, request := range map[string]*pb.Request{
		"with a start":            startRequest("true", 1),
		"with what declares none": signalRequest(1, 0),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGround(t)
			w := g.wire()
			worker := pidOf(t, &w.log)
			file := lingering(t)
			stop(t, worker) // until it has the last copy
			w.say(request, file)
			file.Close()
			syscall.Kill(worker, syscall.SIGCONT)
			if request.GetStart() != nil {
				w.notStarted("needs 3")
			}
			go w.socket.Close()
			gone(t, worker)
			waitCalls(t, g.user, whole)
		})
	}
}

func TestDescriptorsThatNobodyReadsDoNotKeepAWorker(t *testing.T) {
	for _, c := range []struct {
		name  string
		first *pb.Request // ends the login: what is behind it is not read
		wire  func(*ground) *wire
	}{
		{"in a session", signalRequest(1000, 0), (*ground).wire},
		// The kernel closes those that are refused, in the midst of reading: the
		// deadline of the login ends that.
		{"before a login", &pb.Request{Body: &pb.Request_End{End: &pb.End{}}}, func(g *ground) *wire {
			return g.wireBeforeHello("--policy", policyFile(t, `service { name: "sshd" } deadlines { login: 1 }`))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			g := newGround(t)
			w := c.wire(g)
			worker := pidOf(t, &w.log)
			stop(t, worker) // all of it is there before any is read
			for range 3 {
				slow := lingering(t)
				w.say(c.first, slow)
				slow.Close() // the one in the socket is the last
			}
			syscall.Kill(worker, syscall.SIGCONT)
			gone(t, worker)
		})
	}
}

func TestAModuleThatLeavesTheHelperWithTheUsersIdLetsNobodyBeRoot(t *testing.T) {
	t.Parallel()
	module := hostile(t)
	for _, line := range []string{"auth required " + module + " euid in=setcred", "session required " + module + " euid in=open"} {
		t.Run(line, func(t *testing.T) {
			t.Parallel()
			g := newGround(t, line)
			client, _ := g.open()
			o := runIn(t, client, "grep ^Uid: /proc/self/status", "")
			if want := uidLine(g.uid); o.stdout != want {
				t.Errorf("got %+v, want %q", o, want)
			}
			client.Close()
			waitCalls(t, g.user, whole)
		})
	}
}

func TestWhatModulesSetBeforeTheyRefuseIsNotTold(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"variables n=3", "user"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			g := newGround(t, "auth required "+hostile(t)+" "+mode, "auth required pam_deny.so")
			client, _ := dialHelper(t, &person{}, g.helper)
			results, err := client.Login(t.Context(), loginOf(g.user), ipc.Authenticate)
			if len(results) != 2 || results[1].Code != ipc.AuthErr {
				t.Fatalf("got %q, %v; want PAM_AUTH_ERR", show(results), err)
			}
			if r := results[1]; string(r.User) != g.user || len(r.Environment) > 0 {
				t.Errorf("got user %q and variables %v, want %q and none", r.User, r.Environment, g.user)
			}
		})
	}
}

func TestThePipeOfTheLogIsNotGivenToTheUser(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	log, other := pipe(t), pipe(t)
	client, err := ipc.Dial(t.Context(), ipc.Exec{Path: g.helper, Log: log.w}, ipc.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	if _, err := client.Login(t.Context(), loginOf(g.user), ipc.Authenticate, ipc.Account, ipc.Credentials, ipc.OpenSession); err != nil {
		t.Fatal(err)
	}
	p, err := client.Start(t.Context(), ipc.Command{Line: "true", Stdout: other.w, Stderr: log.w})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		file *os.File
		want int
	}{{"that of the log", log.w, 0}, {"another one", other.w, g.uid}} {
		info, err := c.file.Stat()
		if err != nil {
			t.Fatal(err)
		}
		if uid := info.Sys().(*syscall.Stat_t).Uid; int(uid) != c.want {
			t.Errorf("owner of the pipe, %s: got %d, want %d", c.name, uid, c.want)
		}
	}
}

func uidLine(uid int) string { return fmt.Sprintf("Uid:\t%d\t%d\t%d\t%d\n", uid, uid, uid, uid) }
