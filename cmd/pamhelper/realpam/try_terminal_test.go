package realpam_test

import (
	"strings"
	"testing"
)

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
