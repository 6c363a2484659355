package realpam_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pamhelper/pamhelper/pkg/ipc"
)

// agentVariable makes this test binary an agent: "HELPER USER LOG", or for that of
// many logins "HELPER USER many". A HELPER with unix: in front is a socket, and
// broker: is the broker that started it.
const agentVariable = "REALPAM_AGENT"

func init() {
	what := strings.Fields(os.Getenv(agentVariable))
	if len(what) != 3 {
		return
	}
	var err error
	if what[2] == "many" {
		err = beManyAgents(what[0], what[1])
	} else {
		err = beAgent(what[0], what[1], what[2])
	}
	if err != nil {
		fmt.Println("error:", err)
	}
	os.Exit(1)
}

// teller says on standard output how far the agent has come.
type teller struct{}

func (teller) Prompt(ctx context.Context, _ bool, _ []byte) ([]byte, error) {
	fmt.Println("prompt")
	<-ctx.Done()
	return nil, ctx.Err()
}
func (teller) Info([]byte)  {}
func (teller) Error([]byte) {}

// beAgent logs a user in, starts a shell on a terminal, and stays until it is
// killed.
func beAgent(helper, user, log string) error {
	logFile, err := os.OpenFile(log, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	ctx := context.Background()
	var launcher ipc.Launcher = ipc.Exec{Path: helper, Log: logFile}
	if path, is := strings.CutPrefix(helper, "unix:"); is {
		launcher = unixSocket(path)
	}
	if helper == "broker:" {
		broker, err := ipc.OpenBroker()
		if err != nil {
			return err
		}
		go func() {
			<-broker.Done()
			os.Exit(1)
		}()
		launcher = broker
	}
	client, err := ipc.Dial(ctx, launcher, ipc.Options{Conversation: teller{}, CloseTimeout: 5 * time.Second})
	if err != nil {
		return err
	}
	if _, err := client.Login(ctx, loginOf(user), ipc.Authenticate, ipc.Account, ipc.Credentials, ipc.OpenSession); err != nil {
		return err
	}
	p, err := client.Start(ctx, ipc.Command{Line: "sleep 1000 & sleep 1000", Terminal: &ipc.Terminal{}})
	if err != nil {
		return err
	}
	fmt.Println("running", p.PID)
	_, err = p.Wait(ctx)
	return err
}

// agentProcess is an agent that can be killed.
type agentProcess struct {
	t   *testing.T
	cmd *exec.Cmd
	out *bufio.Reader
	log string
}

func (g *ground) agent() *agentProcess {
	g.t.Helper()
	// The path that the binary was started from is not there on this machine.
	a := &agentProcess{t: g.t, cmd: exec.Command("/proc/self/exe"), log: g.t.TempDir() + "/log"}
	a.start(g.helper, g.user, a.log)
	return a
}

func (a *agentProcess) start(what ...string) {
	a.t.Helper()
	a.cmd.Env = append(os.Environ(), agentVariable+"="+strings.Join(what, " "))
	a.cmd.Stderr = os.Stderr
	out, err := a.cmd.StdoutPipe()
	if err != nil {
		a.t.Fatal(err)
	}
	a.out = bufio.NewReader(out)
	if err := a.cmd.Start(); err != nil {
		a.t.Fatal(err)
	}
	a.t.Cleanup(a.killed)
}

// says waits for a word of the agent.
func (a *agentProcess) says(word string) {
	a.t.Helper()
	a.told(word)
}

// told returns what the agent says behind a word.
func (a *agentProcess) told(word string) string {
	a.t.Helper()
	line, err := a.out.ReadString('\n')
	after, ok := strings.CutPrefix(line, word)
	if !ok {
		a.t.Fatalf("the agent says %q (%v), want %q", line, err, word)
	}
	return after
}

func (a *agentProcess) killed() {
	a.cmd.Process.Kill()
	a.cmd.Wait()
}

// worker is the process id of the agent's worker.
func (a *agentProcess) worker() (pid int) {
	a.t.Helper()
	log, _ := os.ReadFile(a.log)
	if _, err := fmt.Sscanf(string(log), "pid=%d\n", &pid); err != nil {
		a.t.Fatalf("the worker's log is %q, want its process id", log)
	}
	return pid
}

// gone waits until a process has ended. It may be a zombie.
func gone(t *testing.T, pid int) {
	t.Helper()
	eventually(t, func() bool { return !alive(pid) }, "the end of process %d", pid)
}

// alive looks at every thread: the first one of a process that is killed can be a
// zombie while another one still has the descriptors and their locks.
func alive(pid int) bool {
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	for _, thread := range threads {
		status, err := os.ReadFile(thread)
		if err == nil && !strings.Contains(string(status), "\nState:\tZ") && !strings.Contains(string(status), "\nState:\tX") {
			return true
		}
	}
	return false
}
