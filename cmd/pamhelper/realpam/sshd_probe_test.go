package realpam_test

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// surroundings are what the probe saw, by name.
type surroundings map[string]string

// read takes the probe's lines out of what a process wrote.
func read(t *testing.T, shown string) surroundings {
	t.Helper()
	_, text, begun := strings.Cut(shown, "probe begin\n")
	text, _, ended := strings.Cut(text, "probe end\n")
	if !begun || !ended {
		t.Fatalf("no output of the probe: got %q", shown)
	}
	found := surroundings{}
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		if status, tab, is := strings.Cut(line, ":\t"); is && strings.HasPrefix(line, "status.") {
			name, value = status, strings.TrimSpace(tab)
		}
		if _, twice := found[name]; twice {
			t.Fatalf("the probe says %s twice:\n%s", name, shown)
		}
		found[name] = value
	}
	return found
}

// comparable replaces what cannot be the same in two sessions by what it means:
// the number of a terminal, and whether something is the session's own or what
// the server and the helper were started in.
func (found surroundings) comparable(t *testing.T, outside surroundings) surroundings {
	t.Helper()
	found = maps.Clone(found)
	terminal := found["tty.name"]
	for name, value := range found {
		switch {
		case name == "keyring.id" || strings.HasPrefix(name, "namespace."):
			found[name] = "its own"
			if value == outside[name] {
				found[name] = "as outside"
			}
		case name == "audit.session" && value != outside[name]:
			found[name] = "a new one"
		case name == "tty.name":
			found[name] = numbered(t, terminal)
		case name == "env.SSH_TTY" && value == terminal:
			found[name] = "the terminal"
		case name == "env.TELEPORT_LOGIN" && value == found["env.USER"]:
			found[name] = "the user"
		case name == "env.SSH_TTY":
		case strings.HasPrefix(name, "env.SSH_"):
			delete(found, name) // the agent's to give
		}
	}
	return found
}

// numbered is a terminal's name without its number.
func numbered(t *testing.T, terminal string) string {
	t.Helper()
	number, is := strings.CutPrefix(terminal, "/dev/pts/")
	if _, err := strconv.Atoi(number); !is || err != nil {
		t.Errorf("terminal %q: want one in /dev/pts", terminal)
		return terminal
	}
	return "/dev/pts/N"
}

// deviation is something that is not as with sshd.
type deviation struct{ name, sshd, ours string }

func (d deviation) String() string {
	return fmt.Sprintf("%s: sshd %q, ours %q", d.name, d.sshd, d.ours)
}

// nothing stands for what is not there.
const nothing = "(nothing)"

func deviations(sshd, ours surroundings) (list []deviation) {
	names := map[string]bool{}
	for _, side := range []surroundings{sshd, ours} {
		for name := range side {
			names[name] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if d := (deviation{name, sshd.get(name), ours.get(name)}); d.sshd != d.ours {
			list = append(list, d)
		}
	}
	return list
}

func (found surroundings) get(name string) string {
	if value, is := found[name]; is {
		return value
	}
	return nothing
}
