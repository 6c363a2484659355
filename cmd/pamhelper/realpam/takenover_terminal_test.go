package realpam_test

import (
	"fmt"
	"os"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

const atTerminalArgument = "taken-over-at-a-terminal"

func init() {
	if len(os.Args) == 2 && os.Args[1] == atTerminalArgument {
		fmt.Println(typing())
		os.Exit(0)
	}
}

// typing tries to push input into the terminal that standard input is, and into the
// controlling one.
func typing() string {
	_, none := unix.IoctlGetTermios(0, unix.TCGETS)
	char := byte('x')
	_, _, pushed := unix.Syscall(unix.SYS_IOCTL, 0, unix.TIOCSTI, uintptr(unsafe.Pointer(&char)))
	tty, err := unix.Open("/dev/tty", unix.O_RDWR, 0)
	if err == nil {
		unix.Close(tty)
	}
	return fmt.Sprintf("a terminal: %v; refused: %v; its own: %v", none == nil, pushed != 0, err)
}

// TestAnAgentOnRootsTerminalCannotTypeIntoIt: started by hand, the agent has root's
// terminal, but not as its controlling one. Kernels before 6.2 would let it push
// input into that (ioctl_tty(2), TIOCSTI).
func TestAnAgentOnRootsTerminalCannotTypeIntoIt(t *testing.T) {
	t.Parallel()
	g := newTakenOver(t, overBroker)
	binary, err := agentBinary()
	if err != nil {
		t.Fatal(err)
	}
	p := onTerminal(t, g.helper, "broker", "--user", g.scene.Agent, "--", binary, atTerminalArgument)
	p.shows("a terminal: true; refused: true; its own: no such device or address")
	p.ends(0)
}
