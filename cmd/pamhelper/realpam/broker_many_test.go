package realpam_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pamhelper/pamhelper/pkg/ipc"
)

// How many logins one agent makes through one broker, how many of them at once, and
// after how many it is looked at first.
const (
	brokeredLogins = 500
	brokeredAtOnce = 8
	brokeredFirst  = 100
)

// beMany makes the logins, and tells what it holds when it has made some.
func beMany(args []string) error {
	broker, err := ipc.OpenBroker()
	if err != nil {
		return err
	}
	lines := bufio.NewScanner(os.Stdin)
	done := 0
	for _, upTo := range []int{brokeredFirst, brokeredLogins} {
		if err := loginsUpTo(broker, args[0], &done, upTo); err != nil {
			return err
		}
		fmt.Println("holds", holdings())
		lines.Scan() // the test has looked at the broker
	}
	return nil
}

func loginsUpTo(broker *ipc.Broker, user string, done *int, upTo int) error {
	var mu sync.Mutex
	var failed error
	next := func() bool {
		mu.Lock()
		defer mu.Unlock()
		*done++
		return *done <= upTo && failed == nil
	}
	var all sync.WaitGroup
	for range brokeredAtOnce {
		all.Go(func() {
			for next() {
				if err := loginWhenThereIsRoom(broker, user); err != nil {
					mu.Lock()
					failed = err
					mu.Unlock()
				}
			}
		})
	}
	all.Wait()
	*done = upTo
	return failed
}

// loginWhenThereIsRoom does as a busy broker says.
func loginWhenThereIsRoom(broker *ipc.Broker, user string) error {
	for {
		err := loginThrough(broker, user)
		var busy *ipc.BusyError
		if !errors.As(err, &busy) {
			return err
		}
		time.Sleep(busy.RetryAfter)
	}
}

func loginThrough(launcher ipc.Launcher, user string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	client, err := ipc.Dial(ctx, launcher, ipc.Options{})
	if err != nil {
		return err
	}
	defer client.Close()
	if _, err := client.Login(ctx, loginOf(user), ipc.Authenticate, ipc.Account, ipc.Credentials, ipc.OpenSession); err != nil {
		return err
	}
	p, err := client.Start(ctx, ipc.Command{Line: "exit 3", Terminal: &ipc.Terminal{}})
	if err != nil {
		return err
	}
	defer p.Master.Close()
	if exit, err := p.Wait(ctx); err != nil || exit.Status != 3 {
		return fmt.Errorf("ended with %+v, %v", exit, err)
	}
	_, err = client.Do(ctx, ipc.CloseSession, ipc.End)
	return err
}

// brokerHolds is what a process holds.
type brokerHolds struct{ files, threads, children int }

func holdingsOf(t *testing.T, pid int) brokerHolds {
	t.Helper()
	dir := fmt.Sprintf("/proc/%d/", pid)
	return brokerHolds{len(names(t, dir+"fd")), len(names(t, dir+"task")), len(childrenOf(t, pid, ""))}
}

func TestFiveHundredLoginsLeaveNothingInTheBrokerAndItsAgent(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a quarter of a minute")
	}
	t.Parallel()
	g := newGround(t)
	log := t.TempDir() + "/calls"
	g.rewrite("/etc/pam.d/sshd", strings.ReplaceAll("auth required M\naccount required M\nsession required M\n", "M", hostile(t)+" nothing log="+log))
	name, _ := g.agentUser()
	cmd := g.brokerCommand(name, nil, roleMany, g.user)
	brokerLog := logTo(t, cmd)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { cmd.Process.Kill(); cmd.Wait() }()
	said := bufio.NewReader(stdout)
	var agents [2]struct{ files, goroutines, heap int }
	var brokers [2]brokerHolds
	for i := range agents {
		line, err := said.ReadString('\n')
		if n, _ := fmt.Sscanf(line, "holds %d %d %d", &agents[i].files, &agents[i].goroutines, &agents[i].heap); n != 3 {
			t.Fatalf("the agent says %q, %v; the log:\n%s", line, err, brokerLog.String())
		}
		eventually(t, func() bool { return len(childrenOf(t, cmd.Process.Pid, "")) == 2 }, "no child of the broker but the agent and a spare worker")
		eventually(t, func() bool {
			return slices.ContainsFunc(sparesOf(t, cmd.Process.Pid), func(pid int) bool { return processName(pid) == waitingSpare })
		}, "a spare that waits")
		brokers[i] = holdingsOf(t, cmd.Process.Pid)
		fmt.Fprintln(stdin)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("the broker: %v\n%s", err, brokerLog.String())
	}
	t.Logf("%d logins in %s: the agent holds %+v after %d and %+v in the end, the broker %+v and %+v",
		brokeredLogins, time.Since(began).Round(time.Second), agents[0], brokeredFirst, agents[1], brokers[0], brokers[1])
	if agents[1].files > agents[0].files || agents[1].goroutines > agents[0].goroutines {
		t.Errorf("the agent holds %+v, then %+v; want no more", agents[0], agents[1])
	}
	if brokers[1].files > brokers[0].files || brokers[1].threads > brokers[0].threads+4 || brokers[1].children != 2 {
		t.Errorf("the broker holds %+v, then %+v; want no more descriptors, few more threads, and two children", brokers[0], brokers[1])
	}
	seen := strings.Fields(readFile(t, log))
	if want := 6 * brokeredLogins; len(seen) != want {
		t.Errorf("the module saw %s calls, want %d", strconv.Itoa(len(seen)), want)
	}
}
