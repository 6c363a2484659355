package realpam_test

import (
	"cmp"
	"slices"
	"testing"
)

// reasoned are the deviations that stay. All others are defects.
var reasoned = []struct {
	stack string // "": all of them
	deviation
	reason string
}{
	{"", deviation{"env.TELEPORT_LOGIN", nothing, "the user"},
		"put into PAM's environment for scripts of session modules; a process gets all of that"},
	{strangeStart, deviation{"env.TZ", "Antarctica/Troll", nothing},
		"modules run in an empty environment: nothing of the agent's, or of its starter's, reaches them or the user"},
	{strangeStart, deviation{"status.Umask", "0027", "0022"},
		"the worker's umask is its own: the agent's is for the agent's files; modules (pam_umask) set the user's"},
}

func TestASessionIsAsWithSSHD(t *testing.T) {
	for _, stack := range comparedStacks {
		t.Run(stack.name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, stack.text(t), cmp.Or(stack.start, just), stack.files)
			for path, text := range stack.home {
				writeFile(t, "/home/"+stack.user+"/"+path, text)
			}
			for _, w := range ways {
				t.Run(w.name, func(t *testing.T) { compare(t, s, stack, w) })
			}
		})
	}
}

func compare(t *testing.T, s *server, stack comparedStack, w way) {
	outside := read(t, onPipes(t, s.inside(probe)).stdout)
	sshd := read(t, s.ssh(t, stack.user, password, w).text()).comparable(t, outside)
	ours := read(t, s.ours(t, stack.user, w).text()).comparable(t, outside)
	for name, want := range stack.effects {
		if got := sshd.get(name); got != want {
			t.Errorf("the stack has no effect with sshd: %s: got %q, want %q", name, got, want)
		}
	}
	if got := sshd.get("env.SSH_TTY"); w.terminal && got != "the terminal" {
		t.Errorf("SSH_TTY with sshd: got %q, want the terminal", got)
	}
	var want []deviation
	for _, r := range reasoned {
		if r.stack == "" || r.stack == stack.name {
			want = append(want, r.deviation)
		}
	}
	if got := deviations(sshd, ours); !slices.Equal(got, want) {
		t.Errorf("what is not as with sshd:\ngot  %q\nwant %q", got, want)
	}
}
