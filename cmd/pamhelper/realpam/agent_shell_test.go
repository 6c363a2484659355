package realpam_test

import (
	"slices"
	"strings"
	"testing"
)

func TestAgentRunsTheLoginShellOnATerminal(t *testing.T) {
	t.Parallel()
	p := atShell(t, pamhelper, "shell1")
	p.typed(`echo "$0 $(id -un) $(pwd) $TERM [$LC_TIME$HIDDEN]"; stty size; test "$(tty)" = "$SSH_TTY" && echo same` + "\n")
	p.shows("-sh shell1 /home/shell1 xterm-256color [C]\r\n31 91\r\nsame\r\n")
	p.typed("exit 3\n")
	p.ends(3)
	if strings.Contains(p.String(), password) {
		t.Errorf("the terminal shows the password:\n%s", p)
	}
	waitCalls(t, "shell1", wholeLogin)
}

func TestAgentFollowsTheSizeOfTheWindow(t *testing.T) {
	t.Parallel()
	p := atShell(t, pamhelper, "alice")
	p.typed("trap 'stty size; exit 4' WINCH; sleep 1000 & echo rea''dy; wait\n")
	p.shows("ready\r\n")
	p.resize(132, 50)
	p.shows("50 132\r\n")
	p.ends(4)
}

func TestAgentLeavesCtrlCToTheForegroundJob(t *testing.T) {
	t.Parallel()
	p := atShell(t, pamhelper, "bob")
	p.typed("sh -c 'echo star''ted; read line'\n")
	p.shows("started\r\n")
	p.typed("\x03")
	// The key throws away what is typed until the shell asks again.
	eventually(t, func() bool { return strings.Count(p.String(), "$ ") == 2 }, "a second prompt on the terminal:\n%s", p)
	p.typed("echo status $?\n")
	p.shows("status 130\r\n")
	p.typed("exit 0\n")
	p.ends(0)
}

func TestAgentLeavesCtrlZToTheForegroundJob(t *testing.T) {
	t.Parallel()
	p := atShell(t, pamhelper, "bob")
	p.typed("sh -c 'trap \"echo con''tinued; exit 9\" CONT; echo star''ted; sleep 1000 & wait'\n")
	p.shows("started\r\n")
	p.typed("\x1a")
	p.shows("Stopped")
	p.typed("fg\n")
	p.shows("continued\r\n")
	p.typed("echo status $?\n")
	p.shows("status 9\r\n")
	p.typed("exit 0\n")
	p.ends(0)
}

func TestAgentEndsWithTheShellWhateverItLeavesRunning(t *testing.T) {
	t.Parallel()
	p := atShell(t, pamhelper, "shell2")
	p.typed("trap '' HUP; sleep 1000 & exit 0\n")
	p.ends(0)
	waitCalls(t, "shell2", wholeLogin)
}

func TestAgentShowsAllThatWasWrittenBeforeTheEnd(t *testing.T) {
	t.Parallel()
	p := atShell(t, pamhelper, "alice")
	p.typed("exec seq 30000\n")
	p.ends(0)
	p.shows("29998\r\n29999\r\n30000\r\n")
}

func TestAgentShowsTheMessageOfTheDay(t *testing.T) {
	t.Parallel()
	const motd = base + "/motd" // pam_motd reads it as the user
	helper := helperWith(t, unixStack+"\nsession required pam_motd.so motd="+motd+" noupdate\nsession required pam_permit.so", nil)
	writeFile(t, motd, "Welcome to the machine\nmind the step\n")
	p := atShell(t, helper, "alice")
	p.shows("Welcome to the machine\r\nmind the step\r\n")
	p.typed("exit\n")
	p.ends(0)

	o := overPipes(t, helper, "alice", "--", "echo", "output")
	o.ran().expect(t, 0, "output\n", "Welcome to the machine\nmind the step\n")
}

func TestAgentChangesAnExpiredPasswordOnATerminal(t *testing.T) {
	t.Parallel()
	const fresh = "An0ther-and-longer"
	p := onTerminal(t, agent, agentLogin(pamhelper, "aged7")...)
	for _, step := range []struct{ prompt, answer string }{
		{"Password: ", password}, {"Current password: ", password}, {"New password: ", fresh}, {"Retype new password: ", fresh},
	} {
		p.atPrompt(step.prompt, false)
		p.typed(step.answer + "\n")
	}
	p.atKeyboard()
	p.typed("exit 5\n")
	p.ends(5)
	p.shows("You are required to change your password immediately")
	try(t, []string{fresh}, service(t, unixStack), "aged7").expect(t, "authenticate=PAM_SUCCESS account=PAM_SUCCESS", 0)
}

func TestAgentGivesACommandATerminal(t *testing.T) {
	t.Parallel()
	p := onTerminal(t, agent, agentLogin(pamhelper, "-t", "alice", "--", "sh", "-c", `test -t 0 && tty; read line; echo "got <$line>"; exit 6`)...)
	p.answers(password)
	p.atKeyboard()
	p.shows("/dev/pts/")
	p.typed("a line\n")
	p.ends(6)
	p.shows("got <a line>\r\n")
}

func TestAgentGivesNoTerminalWithoutOne(t *testing.T) {
	t.Parallel()
	r := run(t, "", agent, agentLogin(pamhelper, "-t", "alice", "--", "true")...)
	r.expect(t, 2, "", "-t needs a terminal")
}

func TestAgentRunsTheLoginShellOverPipes(t *testing.T) {
	t.Parallel()
	p := overPipes(t, pamhelper, "alice")
	if _, err := p.stdin.Write([]byte("echo \"$0\"; id -un; test -t 0 || echo no terminal; exit 8\n")); err != nil {
		t.Fatal(err)
	}
	p.ran().expect(t, 8, "-sh\nalice\nno terminal\n", "")
}

func TestAgentOnATerminalIsRefusedWithAWrongPassword(t *testing.T) {
	t.Parallel()
	p := onTerminal(t, agent, agentLogin(pamhelper, "peggy")...)
	p.answers("wrong")
	p.ends(1)
	p.shows("PAM_AUTH_ERR")
	waitCalls(t, "peggy", "authenticate(0x1)")
}

func TestAgentTellsWhichLineRefusedTheAccount(t *testing.T) {
	t.Parallel()
	p := onTerminal(t, agent, agentLogin(pamhelper, expiredUser)...)
	p.answers(password)
	p.ends(1)
	p.shows("/etc/pam.d/common-account:")
	p.shows("requisite pam_deny.so: PAM_AUTH_ERR -> die")
}

func TestAgentOnATerminalIsToldWhatThePolicyServes(t *testing.T) {
	t.Parallel()
	p := onTerminal(t, agent, agentLogin(pamhelper, "--service", "login", "alice")...)
	p.ends(2)
	p.shows(`service "login" is not served`)
}

func TestAgentInterruptedAtThePromptRestoresTheTerminal(t *testing.T) {
	t.Parallel()
	p := onTerminal(t, agent, agentLogin(pamhelper, "rupert")...)
	p.atPrompt("Password: ", false)
	p.typed("half a pass\x03")
	p.ends(130)
	p.shows("ended by SIGINT")
	if strings.Contains(p.String(), "half a pass") {
		t.Errorf("the terminal shows what was typed:\n%s", p)
	}
	waitCalls(t, "rupert", "authenticate(0x1)")
}

func TestAgentWithoutATerminalHasNobodyToAsk(t *testing.T) {
	t.Parallel()
	r := run(t, password+"\n", "setsid", append([]string{"--wait", agent}, agentLogin(pamhelper, "alice", "--", "true")...)...)
	r.expect(t, 2, "", "no terminal to ask on: open /dev/tty")
}

func TestAgentWithWrongUsageSaysSo(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		args []string
		says string
	}{
		{"command without a dash", []string{"alice", "ls"}, `"ls" behind USER: a COMMAND and its ARGs come behind --`},
		{"helper of no kind", []string{"--helper", "/bin/true", "alice"}, "is none of broker:, unix:PATH and exec:PATH"},
		{"long command", append([]string{"alice", "--"}, slices.Repeat([]string{strings.Repeat("x", 1<<14)}, 8)...), "have 131079 bytes"},
		{"unknown option", []string{"--nosuch", "alice"}, "unknown flag"},
	} {
		run(t, "", agent, append([]string{"login"}, c.args...)...).expect(t, 2, "", c.says)
	}
	run(t, "", agent, "login", "--helper", "exec:/nosuch", "alice").expect(t, 3, "", "say with --helper exec:PATH where it is")
}
