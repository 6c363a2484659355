package broker

import (
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// asStage makes this test binary a stage behind its last step.
const asStage = "PAMHELPER_TEST_STAGE"

func TestMain(m *testing.M) {
	switch os.Getenv(asStage) {
	case "waits": // for a signal, before it executes anything
		notIgnored()
		os.Stdout.WriteString("ready\n")
		select {}
	case "becomes":
		notIgnored()
		syscall.Exec("/bin/grep", []string{"grep", "SigIgn", "/proc/self/status"}, nil)
		os.Exit(1)
	case "ignores": // what starts a broker
		signal.Ignore(syscall.SIGHUP, syscall.SIGINT, syscall.SIGPIPE, syscall.SIGTERM, syscall.SIGUSR1,
			syscall.SIGTSTP, syscall.SIGTTIN, syscall.SIGTTOU, syscall.SIGCONT, syscall.SIGCHLD)
		syscall.Exec("/proc/self/exe", []string{"stage"}, []string{asStage + "=becomes"})
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// A SIGTERM that comes before the agent runs must not get lost: the agent would be
// waited for as long as --stop-timeout says.
func TestASignalBeforeTheAgentRunsEndsTheStage(t *testing.T) {
	t.Parallel()
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		cmd := exec.Command("/proc/self/exe")
		cmd.Env = []string{asStage + "=waits"}
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		io.ReadFull(out, make([]byte, len("ready\n")))
		cmd.Process.Signal(sig)
		cmd.Wait()
		if cmd.ProcessState.Sys().(syscall.WaitStatus).Signal() != sig {
			t.Errorf("%s: %s, want its end by that signal", sig, cmd.ProcessState)
		}
	}
}

func TestTheAgentIgnoresNoSignalThatItsStarterIgnored(t *testing.T) {
	t.Parallel()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = []string{asStage + "=ignores"}
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	_, set, _ := strings.Cut(string(out), "\t")
	ignored, err := strconv.ParseUint(strings.TrimSpace(set), 16, 64)
	if err != nil || ignored != 0 {
		t.Errorf("ignored are %q (%v), want none", out, err)
	}
}
