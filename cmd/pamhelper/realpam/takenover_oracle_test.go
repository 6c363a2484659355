package realpam_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/prototext"

	"github.com/pamhelper/pamhelper/pkg/ipc"
	pb "github.com/pamhelper/pamhelper/proto"
)

// One attempt with a wrong answer, and a right one of somebody who may not log in,
// tells nothing: neither in what comes back nor in how long that takes.
func TestATakenOverAgentCannotTellUsersApart(t *testing.T) {
	t.Parallel()
	attempted(t, tellsApart, func(g *takenOver) {
		g.replace("/etc/shadow", func(text string) string {
			slow := slowHash(g.t)
			var changed []string
			for line := range strings.Lines(text) {
				fields := strings.Split(line, ":")
				if strings.HasPrefix(fields[1], "$") {
					fields[1] = slow
				}
				changed = append(changed, strings.Join(fields, ":"))
			}
			return strings.Join(changed, "")
		})
	})
}

// slowHash is one of the password that takes tens of milliseconds.
func slowHash(t *testing.T) string {
	t.Helper()
	r := run(t, "", "perl", "-e", "print crypt($ARGV[0], q($y$j9T$F5Jx5fExrKuPp53xLKQ..1))", password)
	if !strings.HasPrefix(r.stdout, "$y$") {
		t.Fatalf("a hash of yescrypt: got %+v", r)
	}
	return r.stdout
}

// replace changes what the helper sees in place of a file of the machine.
func (g *takenOver) replace(path string, change func(string) string) {
	g.t.Helper()
	own := filepath.Join(g.dir, strings.ReplaceAll(path, "/", "+"))
	writeFile(g.t, own, change(readFile(g.t, own)))
}

const (
	rounds  = 6
	atATime = 3 // attempts that run at once: more would be in each other's way
	// alike is how far apart the shortest times may be: less than a hash takes.
	alike = 20 * time.Millisecond
)

var tellsApart = table("CannotTellUsersApart",
	attack{name: "by what comes back and when",
		do: func(a *intruder) string {
			return a.compared(6, a.guesses())
		},
		wants: "no difference",
		logs:  `login of "nosuchuser" through "sshd": authenticate: …; the user may not log in: unknown user`,
	},
	attack{name: "by leaving behind the answer",
		do: func(a *intruder) string {
			guesses := a.guesses()[:atATime]
			for i := range guesses {
				guesses[i].leaves = true
			}
			return a.compared(6, guesses)
		},
		wants: "no difference",
		logs:  `login of "nosuchuser" through "sshd": authenticate: …`,
	},
	// Without the even time the same measurement does tell: a debugging worker, which
	// no agent gets, answers when the stack does.
	attack{name: "and can with a worker that answers at once", only: []transport{overExec},
		do: func(a *intruder) string {
			b := *a
			b.launch = a.debugging
			if got := b.compared(1, []guess{{"a wrong password", a.User, wrongPassword, false}, {"unknown", "nosuchuser", password, false}}); strings.Contains(got, "time of unknown") {
				return "a difference of the time"
			}
			return "no difference of the time"
		},
		wants: "a difference of the time",
	},
)

// guess is one honest g.
type guess struct {
	who, user, answer string
	leaves            bool // as soon as the answer is given
}

func (a *intruder) guesses() []guess {
	return []guess{
		{"a wrong password", a.User, wrongPassword, false},
		{"unknown", "nosuchuser", password, false},
		{"uid 0", a.Toor, password, false},
		{"denied", a.Denied, password, false},
		{"no password", a.Void, password, false},
		{"root", "root", rootPassword, false},
	}
}

// shown is what an attempt shows.
type shown struct {
	who    string
	shapes []string
	times  []time.Duration
}

// compared makes every attempt several times, and again where they differ: a busy
// machine makes some late, but a shorter way is shorter however often it is taken.
func (a *intruder) compared(times int, guesses []guess) (differ string) {
	all := make([]shown, len(guesses))
	for range times {
		for range rounds {
			a.round(guesses, all)
		}
		if differ = toldApart(all); differ == "no difference" {
			break
		}
	}
	return differ
}

func (a *intruder) round(guesses []guess, all []shown) {
	var round sync.WaitGroup
	defer round.Wait()
	for i, g := range guesses {
		if i%atATime == 0 {
			round.Wait()
		}
		round.Go(func() {
			shape, took := a.see(g)
			all[i].who = g.who
			all[i].shapes = append(all[i].shapes, shape)
			all[i].times = append(all[i].times, took)
		})
	}
}

// see makes one attempt. The time is that from the answer to the result.
func (a *intruder) see(g guess) (shape string, took time.Duration) {
	p := a.meet()
	if p.over {
		return p.rest(), 0
	}
	p.tell(helloRequest(), beginRequest("sshd", g.user)).take(ipc.Authenticate, ipc.Account)
	var began time.Time
	for {
		event, _, err := p.ReadEvent()
		if err != nil {
			p.stream.Close()
			return shape + " and the end", took
		}
		if event.GetResult().GetStep() == pb.Step_AUTHENTICATE {
			took = time.Since(began)
		}
		if r := event.GetResult(); r != nil {
			r.DurationUs = 0 // it is part of the time that is measured
		}
		text := strings.ReplaceAll(prototext.MarshalOptions{}.Format(event), g.user, "USER")
		shape += strings.Join(strings.Fields(text), " ") + "\n"
		if event.GetPrompt() != nil {
			began = time.Now()
			p.Write(answerRequest(event.GetPrompt().GetId(), g.answer))
			if g.leaves {
				p.stream.(halfCloser).CloseWrite()
			}
		}
		if event.GetResult().GetStep() == pb.Step_ACCOUNT {
			p.stream.Close()
			return shape, took
		}
	}
}

// toldApart compares attempts with the first one: what came each time, and the
// shortest time, which what else runs on the machine changes least.
func toldApart(all []shown) string {
	var found []string
	first := all[0]
	for _, s := range all {
		if shape := shapesOf(s); shape != shapesOf(first) {
			found = append(found, fmt.Sprintf("what comes back for %s:\n%s\nfor %s:\n%s", s.who, shape, first.who, shapesOf(first)))
		}
		if d := slices.Min(s.times) - slices.Min(first.times); d.Abs() > alike {
			found = append(found, fmt.Sprintf("time of %s: %s, of %s: %s", s.who, slices.Min(s.times), first.who, slices.Min(first.times)))
		}
	}
	if len(found) == 0 {
		return "no difference"
	}
	return strings.Join(found, "\n")
}

// shapesOf are the shapes that came at least once.
func shapesOf(s shown) string {
	shapes := slices.Clone(s.shapes)
	slices.Sort(shapes)
	return strings.Join(slices.Compact(shapes), "\nor\n")
}
