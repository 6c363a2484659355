package realpam_test

import (
	"os"
	"strings"
	"testing"
)

func TestAgentLogsInOnATerminal(t *testing.T) {
	t.Parallel()
	p := onTerminal(t, agent, "login", "--helper", "exec:"+pamhelper, "--rhost", remote, "olivia")
	p.atPrompt("Password: ", false)
	p.typed(password + "\n")
	p.shows("TELEPORT_LOGIN=olivia")
	p.ends(0)
	if strings.Contains(p.String(), password) {
		t.Errorf("the terminal shows the password:\n%s", p)
	}
	waitCalls(t, "olivia", wholeLogin)
}

func TestAgentOnATerminalIsRefusedWithAWrongPassword(t *testing.T) {
	t.Parallel()
	p := onTerminal(t, agent, "login", "--helper", "exec:"+pamhelper, "peggy")
	p.atPrompt("Password: ", false)
	p.typed("wrong\n")
	p.ends(1)
	p.shows("PAM_AUTH_ERR")
	waitCalls(t, "peggy", "authenticate(0x1)")
}

func TestAgentChangesAnExpiredPasswordOnATerminal(t *testing.T) {
	t.Parallel()
	const fresh = "An0ther-and-longer"
	p := onTerminal(t, agent, "login", "--helper", "exec:"+pamhelper, "aged7")
	for _, step := range []struct{ prompt, answer string }{
		{"Password: ", password}, {"Current password: ", password}, {"New password: ", fresh}, {"Retype new password: ", fresh},
	} {
		p.atPrompt(step.prompt, false)
		p.typed(step.answer + "\n")
	}
	p.ends(0)
	p.shows("You are required to change your password immediately")
	try(t, []string{fresh}, service(t, unixStack), "aged7").expect(t, "authenticate=PAM_SUCCESS account=PAM_SUCCESS", 0)
}

func TestAgentOnATerminalIsToldWhatThePolicyServes(t *testing.T) {
	t.Parallel()
	p := onTerminal(t, agent, "login", "--helper", "exec:"+pamhelper, "--service", "login", "alice")
	p.ends(2)
	p.shows(`service "login" is not served`)
}

func TestAgentInterruptedAtThePromptRestoresTheTerminal(t *testing.T) {
	t.Parallel()
	p := onTerminal(t, agent, "login", "--helper", "exec:"+pamhelper, "rupert")
	p.atPrompt("Password: ", false)
	p.typed("half a pass\x03")
	p.ends(1)
	if strings.Contains(p.String(), "half a pass") {
		t.Errorf("the terminal shows what was typed:\n%s", p)
	}
	waitCalls(t, "rupert", "authenticate(0x1)")
}

func TestAgentTerminatedWithAnOpenPrompt(t *testing.T) {
	t.Parallel()
	p := onTerminal(t, agent, "login", "--helper", "exec:"+pamhelper, "sybil")
	p.atPrompt("Password: ", false)
	if err := p.cmd.Process.Signal(os.Kill); err != nil {
		t.Fatal(err)
	}
	p.cmd.Wait()
	waitCalls(t, "sybil", "authenticate(0x1)")
}

func TestTryAsksOnTheTerminalWithTheModulesEcho(t *testing.T) {
	t.Parallel()
	p := onTerminal(t, pamhelper, "try", service(t, unixStack))
	p.atPrompt("login:", true)
	p.typed("alice\n")
	p.atPrompt("Password: ", false)
	p.typed(password + "\n")
	p.ends(0)
	p.shows("account          PAM_SUCCESS (0)")
	if strings.Contains(p.String(), password) {
		t.Errorf("the terminal shows the password:\n%s", p)
	}
	if !strings.Contains(p.String(), "alice") {
		t.Errorf("the terminal does not show the user's name:\n%s", p)
	}
}

func TestTryInterruptedAtAPromptRestoresTheTerminal(t *testing.T) {
	t.Parallel()
	p := onTerminal(t, pamhelper, "try", service(t, unixStack), "alice")
	p.atPrompt("Password: ", false)
	p.typed("half a pass\x03")
	p.ends(1)
	if strings.Contains(p.String(), "half a pass") {
		t.Errorf("the terminal shows what was typed:\n%s", p)
	}
}

func TestTryAtTheEndOfInputIsRefused(t *testing.T) {
	t.Parallel()
	p := onTerminal(t, pamhelper, "try", service(t, unixStack), "alice")
	p.atPrompt("Password: ", false)
	p.typed("\x04")
	p.ends(1)
	p.shows("end of input")
}
