package pamstack

import (
	"fmt"
	"testing"
)

func TestOnwardIsWhereAnActionLeads(t *testing.T) {
	s := loadSystem(t, debian, "svc", system{
		"/etc/pam.d/svc":  "auth required a.so\nauth substack deep\nauth required b.so\n",
		"/etc/pam.d/deep": "auth required c.so\nauth required d.so\n",
	})
	chain := s.Chain(Auth)
	a, c := chain[0], chain[2]
	for _, test := range []struct {
		from   *Handler
		action Action
		want   string
	}{
		{a, ActionOK, "2 short false"},
		{a, 1, "3 short false"},
		{a, 2, "end short false"},
		{a, 3, "end short true"},
		{a, ActionDie, "end short false"},
		{c, 1, "3 short false"},
		{c, 2, "3 short true"},
		{c, ActionDone, "3 short false"},
		{&Handler{Facility: Auth}, ActionOK, "end short false"},
	} {
		next, short := s.Onward(test.from, test.action)
		got := "end"
		if next != nil {
			got = fmt.Sprint(next.Line.Number)
		}
		if got = fmt.Sprintf("%s short %v", got, short); got != test.want {
			t.Errorf("%s, action %v: got %s, want %s", test.from.Path, test.action, got, test.want)
		}
	}
}

func TestFieldsAreCutAsLibpamDoes(t *testing.T) {
	line := Line{Text: "-auth [success=1 default=ignore]a.so\tx=y [two words] c[d e]\n"}
	wantStrings(t, "fields", line.Fields(), "-auth", "success=1 default=ignore", "a.so", "x=y", "two words", "c[d", "e]")
}
