package broker

import (
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/pamhelper/pamhelper/pkg/ipc"
)

// agentPath is where COMMAND is looked for, and the agent's PATH.
const agentPath = "/usr/local/bin:/usr/bin:/bin"

// controlFD is where the agent has its control socket. What it listens on comes
// behind that.
const controlFD = 3

// startAgent starts the stage that becomes the agent. How it ended comes from
// exited.
func (b *broker) startAgent(listening []*os.File) (exited <-chan syscall.WaitStatus, output *output, err error) {
	defer closeAll(listening)
	stream, theirs, err := controlPair()
	if err != nil {
		return nil, nil, err
	}
	defer theirs.Close()
	output, err = newOutput()
	if err != nil {
		return nil, nil, err
	}
	defer output.agentHasIt()
	files := slices.Concat(output.agents[:], []*os.File{theirs}, listening)
	var fds []uintptr
	for _, file := range files {
		fds = append(fds, file.Fd())
	}
	ended := make(chan syscall.WaitStatus, 1)
	attr := &syscall.ProcAttr{Dir: "/", Env: b.agentEnvironment(), Files: fds,
		// A hostile agent must not push input into the terminal of root, as one may
		// into a terminal that is one's controlling one (ioctl_tty(2), TIOCSTI).
		Sys: &syscall.SysProcAttr{Setsid: true}}
	b.stream, b.control = stream, ipc.NewControlConn(stream)
	b.agent, err = b.children.start(b.program.path(), b.stageArguments(len(listening)), attr,
		func(_ *child, status syscall.WaitStatus) { ended <- status })
	if err != nil {
		stream.Close()
		return nil, nil, fmt.Errorf("start the agent: %w", err)
	}
	output.pass(b.agent.pid)
	return ended, output, nil
}

// agentEnvironment is all the agent has. What depends on its process id comes from
// the stage.
func (b *broker) agentEnvironment() []string {
	environment := []string{
		"PATH=" + agentPath,
		"HOME=" + b.account.home,
		"USER=" + b.account.name,
		"LOGNAME=" + b.account.name,
		"SHELL=" + b.account.shell,
		ipc.BrokerVariable + "=" + strconv.Itoa(controlFD),
	}
	if terminal, found := os.LookupEnv("TERM"); found {
		environment = append(environment, "TERM="+terminal)
	}
	return environment
}

func (b *broker) stageArguments(listening int) []string {
	var groups []string
	for _, gid := range b.account.groups {
		groups = append(groups, strconv.Itoa(gid))
	}
	return append([]string{"pamhelper", stageName,
		"--uid", strconv.Itoa(b.account.uid), "--gid", strconv.Itoa(b.account.gid),
		"--groups", strings.Join(groups, ","), "--listening", strconv.Itoa(listening), "--"}, b.options.command...)
}

// controlPair is the control socket: the broker's end and the agent's.
func controlPair() (ours *net.UnixConn, theirs *os.File, err error) {
	mine, theirs, err := pair()
	if err != nil {
		return nil, nil, err
	}
	if ours, err = ipc.UnixConn(mine); err != nil {
		theirs.Close()
		return nil, nil, err
	}
	return ours, theirs, nil
}

// pair is a socketpair, close-on-exec and blocking.
func pair() (one, other *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("socketpair: %w", err)
	}
	return os.NewFile(uintptr(fds[0]), "socket"), os.NewFile(uintptr(fds[1]), "socket"), nil
}
