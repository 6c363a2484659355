package realpam_test

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/pamhelper/pamhelper/pkg/ipc"
)

const (
	utmp    = "/run/utmp"
	wtmp    = "/var/log/wtmp"
	btmp    = "/var/log/btmp"
	lastlog = "/var/log/lastlog"
)

// serveRecording starts a server whose login records are its own.
func serveRecording(t *testing.T) *server {
	t.Helper()
	s := serve(t, plainStack, just, map[string]string{utmp: "", wtmp: "", btmp: "", lastlog: ""})
	if err := os.Chmod(s.own(btmp), 0o600); err != nil { // or it is refused
		t.Fatal(err)
	}
	return s
}

// unknownUser exists nowhere.
const unknownUser = "cmp-unknown"

// recorded are attempts, one after another. Those that get in run who(1).
var recorded = []struct {
	name, user, password string
	way                  way
}{
	{"a command on a terminal", recordUser, password, way{line: "who", terminal: true}},
	{"a command without a terminal", recordUser, password, way{line: "who"}},
	{"a wrong password", recordUser, "wrong", way{line: "who"}},
	{"an unknown user", unknownUser, "wrong", way{line: "who", terminal: true}},
	{"an account that has ended", endedUser, password, way{line: "who"}},
	{"a login shell on a terminal", recordUser, password, way{line: "exit", terminal: true}},
}

func TestLoginRecordsAreAsWithSSHD(t *testing.T) {
	t.Parallel()
	sshd, ours := serveRecording(t), serveRecording(t)
	for _, c := range recorded {
		said := masked(sshd.ssh(t, c.user, c.password, c.way).text())
		var got string
		if c.user == recordUser && c.password == password {
			got = masked(ours.ours(t, c.user, c.way).text())
		} else {
			ours.fails(t, c.user, c.password)
		}
		if got != said {
			t.Errorf("%s shows %q, with sshd %q", c.name, got, said)
		}
		want := ours.records(t)
		eventually(t, func() bool { return onceUnknown(sshd.records(t)) == want }, "the same records after %s:\nsshd:\n%s\nours:\n%s", c.name, lazyRecords{t, sshd}, want)
	}
	if got := sshd.records(t); strings.Count(got, unknownRecord) != 2 {
		t.Errorf("records of sshd:\n%s\nwant twice %s", got, unknownRecord)
	}
}

// unknownRecord is the one reasoned difference: sshd writes it when it looks the
// user up and once more for the password, and the helper once for one attempt.
const unknownRecord = "btmp: [6] [pid 2] [] [" + unknownUser + "] [ssh:notty] [127.0.0.1] [127.0.0.1] [whole second]\n"

// onceUnknown leaves one of the two out.
func onceUnknown(records string) string {
	const shown = unknownUser + " ssh:notty 127.0.0.1 time end\n"
	for _, line := range []string{unknownRecord, shown} {
		records = strings.Replace(records, line+line, line, 1)
	}
	return records
}

// fails asks for a login that is refused.
func (s *server) fails(t *testing.T, user, answer string, args ...string) {
	t.Helper()
	client, _ := dialHelper(t, &person{answers: []string{answer}}, s.helper, args...)
	results, err := client.Login(t.Context(), ipc.Login{Service: "sshd", User: user, Rhost: loopback}, ipc.Authenticate, ipc.Account)
	if err == nil {
		t.Errorf("a login of %s with the password %q: got %s, want it refused", user, answer, show(results))
	}
	client.Close()
}

// records is what the server's files hold, apart from process ids and times.
func (s *server) records(t *testing.T) string {
	t.Helper()
	text := s.terminals(t) + s.dumped(t, wtmp) + s.dumped(t, btmp)
	for _, tool := range []*exec.Cmd{
		exec.Command("last", "-F", "-w", "-f", s.own(wtmp)), exec.Command("lastb", "-F", "-w", "-f", s.own(btmp)),
		s.inside("lastlog", "-u", recordUser), s.inside("who"),
	} {
		out, err := tool.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", tool, err, out)
		}
		text += strings.ReplaceAll(masked(string(out)), s.dir, "")
	}
	return text
}

// terminals is what utmp holds, which has one entry for each terminal that was used:
// how many those are other tests decide, which take the numbers between.
func (s *server) terminals(t *testing.T) string {
	t.Helper()
	entries := slices.Sorted(strings.Lines(regexp.MustCompile(`\[pid \d+\]`).ReplaceAllString(s.dumped(t, utmp), "[pid]")))
	return strings.Join(slices.Compact(entries), "")
}

var field = regexp.MustCompile(`\[([^]]*)\]`)

// dumped lists the records of one file, as utmpdump(1) reads them.
func (s *server) dumped(t *testing.T, path string) (text string) {
	t.Helper()
	dump := onPipes(t, exec.Command("utmpdump", s.own(path)))
	pids := map[string]int{}
	for line := range strings.Lines(dump.stdout) {
		var fields []string
		for _, match := range field.FindAllStringSubmatch(line, -1) {
			fields = append(fields, strings.TrimSpace(match[1]))
		}
		if len(fields) != 8 {
			t.Fatalf("utmpdump of %s: got %q, want 8 fields", path, line)
		}
		pid, id, terminal, time := &fields[1], &fields[2], &fields[4], &fields[7]
		if _, is := pids[*pid]; !is {
			pids[*pid] = len(pids) + 1
		}
		*pid = fmt.Sprint("pid ", pids[*pid])
		if *id != "" && strings.HasSuffix(*terminal, *id) {
			*id = "end of line"
		}
		*terminal, *time = masked(*terminal), masked(*time)
		text += fmt.Sprintf("%s: [%s]\n", path[strings.LastIndex(path, "/")+1:], strings.Join(fields, "] ["))
	}
	return text
}

var masks = []struct {
	what *regexp.Regexp
	mask string
}{
	{regexp.MustCompile(`pts/\d+`), "pts/N"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\dT[\d:]+,000000[-+:\d]+`), "whole second"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\dT[\d:]+,\d{6}[-+:\d]+`), "time"},
	{regexp.MustCompile(`\w{3} \w{3} +\d+ [\d:]{8}( [-+]\d{4})? \d{4}`), "time"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\d \d\d:\d\d`), "time"},
	{regexp.MustCompile(` +`), " "},
	// last(1) says the second in which it runs in other words.
	{regexp.MustCompile(`time (- time \(\d\d:\d\d\)|still running)`), "time end"},
}

func masked(text string) string {
	for _, m := range masks {
		text = m.what.ReplaceAllString(text, m.mask)
	}
	return text
}

// lazyRecords prints the records as they are when it is printed.
type lazyRecords struct {
	t *testing.T
	s *server
}

func (l lazyRecords) String() string { return l.s.records(l.t) }

func TestNoLoginRecordsAreWrittenWhereTheyAreSwitchedOff(t *testing.T) {
	t.Parallel()
	s := serveRecording(t)
	off := "--policy=" + policyFile(t, `service { name: "sshd" } login_records: false`)
	s.fails(t, recordUser, "wrong", off)
	client, _ := dialHelper(t, &person{answers: []string{password}}, s.helper, off)
	login := ipc.Login{Service: "sshd", User: recordUser, Rhost: loopback}
	if results, err := client.Login(t.Context(), login, ipc.Authenticate, ipc.Account, ipc.Credentials, ipc.OpenSession); err != nil {
		t.Fatalf("open a session: %s, %v", show(results), err)
	}
	if got := inSession(t, client, way{line: "tty", terminal: true}); !strings.HasPrefix(got.stdout, "/dev/pts/") {
		t.Errorf("a command on a terminal: got %s, want the name of one", got)
	}
	if _, err := client.End(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{utmp, wtmp, btmp, lastlog} {
		if got := readFile(t, s.own(path)); got != "" {
			t.Errorf("%s: got %d bytes, want none", path, len(got))
		}
	}
}
