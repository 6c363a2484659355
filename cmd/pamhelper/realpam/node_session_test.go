package realpam_test

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// forKeys is a node that lets users in by their keys and passwords.
func forKeys(t *testing.T, users ...string) *node {
	t.Helper()
	return forKeysWith(t, twoFactors, users...)
}

func forKeysWith(t *testing.T, lines string, users ...string) *node {
	t.Helper()
	n := keyed(t, helperWith(t, unixStack, nil), lines)
	for _, user := range users {
		writeFile(t, n.path(user+".keys"), readFile(t, n.path("key.pub")))
	}
	return n
}

func TestNodePassesOnHowACommandEnds(t *testing.T) {
	t.Parallel()
	n := forKeys(t, "node5")
	for line, status := range map[string]int{"exit 0": 0, "exit 3": 3, "exit 255": 255, "nosuchcommand": 127} {
		c := n.byKey("node5")
		c.line = line
		n.run(c).expect(t, status, "", "")
	}
	c := n.byKey("node5")
	c.args, c.line = []string{"-v"}, "kill -9 $$"
	n.run(c).expect(t, 255, "", "rtype exit-signal")
	n.logs("signal=KILL")
}

func TestNodeGivesATerminalItsSizeModesAndSignals(t *testing.T) {
	t.Parallel()
	n := forKeys(t, "node6")
	p := newTerminal(t)
	mode := *p.mode()
	mode.Cc[unix.VINTR] = 'G' - '@'
	if err := unix.IoctlSetTermios(int(p.slave.Fd()), unix.TCSETS, &mode); err != nil {
		t.Fatal(err)
	}
	p.resize(91, 31)
	c := n.byKey("node6")
	c.args = []string{"-tt"}
	c.line = "stty size; stty -a; echo $TERM; tty; trap 'stty size' WINCH; trap 'exit 4' INT; echo rea''dy; while :; do sleep 0.05; done"
	cmd := n.ssh(c)
	p.run(cmd)
	p.shows("ready\r\n")
	p.shows("31 91\r\n")
	p.shows("intr = ^G;")
	p.shows(terminalType + "\r\n/dev/pts/")
	p.resize(132, 50)
	p.shows("50 132\r\n")
	p.typed("\x07")
	p.wait()
	if got := cmd.ProcessState.ExitCode(); got != 4 {
		t.Errorf("exit status: got %d, want 4; the terminal:\n%s", got, p)
	}
}

func TestNodeRefusesToForward(t *testing.T) {
	t.Parallel()
	n := forKeys(t, "node5")
	c := n.byKey("node5")
	c.args = []string{"-W", "127.0.0.1:1"}
	n.run(c).expect(t, 255, "", "administratively prohibited: port forwarding is off on this server")
	c.args, c.line = []string{"-o", "ExitOnForwardFailure=yes", "-R", "0:127.0.0.1:1"}, "true"
	n.run(c).expect(t, 255, "", "remote port forwarding failed")
}

// random is so many bytes in a file of a name.
func (n *node) random(name string, size int) (file string, text []byte) {
	n.t.Helper()
	text = make([]byte, size)
	rand.Read(text)
	writeFile(n.t, n.path(name), string(text))
	return n.path(name), text
}

const much = 50 << 20

func TestNodePassesOnEveryByteOfACommand(t *testing.T) {
	t.Parallel()
	n := forKeys(t, "node7")
	file, want := n.random("input", much)
	c := n.byKey("node7")
	c.line = "cat; echo end >&2; exit 5"
	cmd := n.ssh(c)
	input, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer input.Close()
	var got, said bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = input, &got, &said
	cmd.Run()
	if !bytes.Equal(got.Bytes(), want) || said.String() != "end\n" || cmd.ProcessState.ExitCode() != 5 {
		t.Errorf("got %d bytes (the same: %v), %q and status %d; want %d, end and 5",
			got.Len(), bytes.Equal(got.Bytes(), want), said.String(), cmd.ProcessState.ExitCode(), len(want))
	}
}

func TestNodeCopiesFilesExactly(t *testing.T) {
	t.Parallel()
	n := forKeys(t, "node8")
	file, want := n.random("there", much)
	c := n.byKey("node8")
	c.options = append(c.options, "BatchMode=no") // before the -b of sftp
	for name, copied := range map[string]func(from, to string) *exec.Cmd{
		"sftp": func(from, to string) *exec.Cmd {
			cmd := n.program("sftp", c, "-q", "-b", "-", "node8@"+loopback)
			verb := "put "
			if strings.HasPrefix(from, "/home/") {
				verb = "get "
			}
			cmd.Stdin = strings.NewReader(verb + from + " " + to + "\n")
			return cmd
		},
		"scp":     func(from, to string) *exec.Cmd { return n.program("scp", c, "-q", there(from), there(to)) },
		"old-scp": func(from, to string) *exec.Cmd { return n.program("scp", c, "-O", "-q", there(from), there(to)) },
	} {
		home, back := "/home/node8/"+name, n.path(name+".back")
		for _, way := range []struct{ from, to string }{{file, home}, {home, back}} {
			if r := runCmd(t, copied(way.from, way.to)); r.status != 0 {
				t.Fatalf("%s %s to %s: %+v", name, way.from, way.to, r)
			}
		}
		if got := []byte(readFile(t, back)); !bytes.Equal(got, want) {
			t.Errorf("%s: got %d other bytes, want the %d", name, len(got), len(want))
		}
	}
}

// program is scp or sftp.
func (n *node) program(name string, c client, args ...string) *exec.Cmd {
	n.t.Helper()
	options := append(n.sshOptions(c), "-P", fmt.Sprint(n.port))
	return n.withAnswers(exec.Command(name, append(options, args...)...), c)
}

// there is a path as scp wants it.
func there(path string) string {
	if strings.HasPrefix(path, "/home/node8/") {
		return "node8@" + loopback + ":" + path
	}
	return path
}

// TestManyChannelsOfOneConnection are a hundred at once, each with its own process.
func TestManyChannelsOfOneConnection(t *testing.T) {
	t.Parallel()
	const many = 100
	n := forKeysWith(t, fmt.Sprintf("  max_channels: %d\n", many)+strings.TrimPrefix(twoFactors, "\n"), "node9")
	c := n.byKey("node9")
	control := n.path("control")
	c.args = []string{"-M", "-N", "-S", control}
	master := n.ssh(c)
	if err := master.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		master.Process.Kill()
		master.Wait()
	}()
	eventually(t, func() bool { _, err := os.Stat(control); return err == nil }, "ssh's control socket")
	dir := "/home/node9/"
	wait := "touch " + dir + "%d; while [ ! -e " + dir + "go ]; do sleep 0.05; done; echo %d"
	var running []*exec.Cmd
	var outputs []*bytes.Buffer
	for i := range many {
		c.args, c.line = []string{"-S", control}, fmt.Sprintf(wait, i, i)
		cmd := n.ssh(c)
		out := new(bytes.Buffer)
		cmd.Stdout, cmd.Stderr = out, out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		running, outputs = append(running, cmd), append(outputs, out)
	}
	eventually(t, func() bool { entries, _ := os.ReadDir(dir); return countDigits(entries) == many }, "%d processes at once", many)
	writeFile(t, dir+"go", "")
	for i, cmd := range running {
		if err := cmd.Wait(); err != nil || outputs[i].String() != fmt.Sprintln(i) {
			t.Errorf("channel %d: got %q, %v", i, outputs[i], err)
		}
	}
}

func countDigits(entries []os.DirEntry) (count int) {
	for _, entry := range entries {
		if strings.Trim(entry.Name(), "0123456789") == "" {
			count++
		}
	}
	return count
}

// TestNodePassesOnTheVariablesThatThePolicyAdmits and those of the connection.
func TestNodePassesOnTheVariablesThatThePolicyAdmits(t *testing.T) {
	t.Parallel()
	n := forKeys(t, "node5")
	c := n.byKey("node5")
	c.options = append(c.options, `SetEnv LANG=C.UTF-8 "LC_TIME=from client" LD_PRELOAD=/x PATH=/x SSH_TTY=x "SSH_CLIENT=6.6.6.6 6 6" FOO=x`)
	c.line = `echo "$LANG,$LC_TIME,$LD_PRELOAD,$SSH_TTY,$FOO,$PATH,${SSH_CLIENT%% *},${SSH_CLIENT##* },${SSH_CONNECTION##* }"`
	n.run(c).expect(t, 0, fmt.Sprintf("C.UTF-8,from client,,,,%s,127.0.0.1,%d,%d\n", "/usr/local/bin:/usr/bin:/bin:/usr/games", n.port, n.port), "")
}

// TestACommandThatIsTooLongEndsNoConnection: others of it go on.
func TestACommandThatIsTooLongEndsNoConnection(t *testing.T) {
	t.Parallel()
	n := keyed(t, helperWith(t, unixStack, nil), twoFactors)
	c := n.byCertificate("node4", n.certify("forced", "node4", "-O", "force-command=echo ${SSH_ORIGINAL_COMMAND-a shell}"))
	control := n.path("control")
	c.args = []string{"-M", "-N", "-S", control}
	master := n.ssh(c)
	if err := master.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		master.Process.Kill()
		master.Wait()
	}()
	eventually(t, func() bool { _, err := os.Stat(control); return err == nil }, "ssh's control socket")
	c.args = []string{"-S", control}
	c.line = strings.Repeat("x", 70<<10)
	n.run(c).expect(t, 1, "", "bytes; at most 256 of 65536 bytes")
	c.line = ""
	n.run(c).expect(t, 0, "a shell\n", "")
	n.logs("process not started")
}
