package realpam_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// These are failures that users of Teleport's PAM support have reported, tried over
// SSH against the whole of the node. The page for them, cmd/agent/TELEPORT.md, has the list.

// TestEveryLoginOfANodeHasItsLoginuidAndKeyring also where many begin at once: both
// belong to the thread that calls PAM.
func TestEveryLoginOfANodeHasItsLoginuidAndKeyring(t *testing.T) {
	t.Parallel()
	n := nodeWith(t, helperWith(t, unixStack+"\nsession required pam_loginuid.so\nsession required pam_keyinit.so force revoke", nil), passwords)
	const atOnce = 12
	var commands []*exec.Cmd
	outputs := make([]workerLog, atOnce)
	for i := range atOnce {
		c := byPassword("node31", "password", password)
		c.line = "cat /proc/self/loginuid; echo; keyctl rdescribe @s | cut -d ';' -f 2,5; keyctl id @s"
		cmd := n.ssh(c)
		cmd.Stdout, cmd.Stderr = &outputs[i], &outputs[i]
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		commands = append(commands, cmd)
	}
	uid := idOf(t, "node31")
	var keyrings []string
	for i, cmd := range commands {
		cmd.Wait()
		before, keyring, found := strings.Cut(outputs[i].String(), "\n"+uid+";_ses\n")
		if !found || before != uid || keyring == "\n" || slices.Contains(keyrings, keyring) {
			t.Errorf("login %d: got %q, want the loginuid %s and a session keyring of its own, which is none of %q", i, outputs[i].String(), uid, keyrings)
		}
		keyrings = append(keyrings, keyring)
	}
}

// TestANodeGoesOnWhenItsProgramsAreReplaced with PAM all the same.
func TestANodeGoesOnWhenItsProgramsAreReplaced(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	helper := n.path("pamhelper")
	if err := command("cp", pamhelper, helper); err != nil {
		t.Fatal(err)
	}
	if err := command("cp", agent, n.path("agent")); err != nil {
		t.Fatal(err)
	}
	n.runs = n.path("agent")
	n.mounts = "mount --bind '" + pamService(t, nodeStack) + "' /etc/pam.d/sshd\n"
	n.configure(passwords)
	n.start(helper)
	for _, program := range []string{helper, n.runs} {
		writeFile(t, program+".new", "#!/bin/sh\necho this is another version >&2\nexit 9\n")
		if err := errors.Join(os.Chmod(program+".new", 0o755), os.Rename(program+".new", program)); err != nil {
			t.Fatal(err)
		}
	}
	c := byPassword("node32", "password", password)
	c.line = "echo in"
	n.run(c).expect(t, 0, "in\n", "")
	waitCalls(t, "node32", wholeLogin)
	c.answers[0].text = "wrong"
	n.run(c).expect(t, 255, "", "Permission denied")
}

// pamService is a file with a stack, to be mounted in the place of a service.
func pamService(t *testing.T, stack string) (file string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "service")
	writeFile(t, file, complete(stack))
	return file
}

// TestModulesGetWhatWasTypedAndUsersWhatModulesSay: the answer without its newline,
// every prompt, and each message also to a client without a terminal.
func TestModulesGetWhatWasTypedAndUsersWhatModulesSay(t *testing.T) {
	t.Parallel()
	typed, said := t.TempDir()+"/typed", t.TempDir()+"/said"
	writeFile(t, said, "the disks are being changed\n")
	stack := "auth required pam_exec.so expose_authtok quiet " + script(t, "cat >"+typed+"\n") +
		"\naccount required pam_echo.so file=" + said + "\n" + unixStack
	n := nodeWith(t, helperWith(t, stack, nil), passwords)
	for _, method := range []string{"password", "keyboard-interactive"} {
		c := byPassword("node33", method, password)
		c.args, c.line = []string{"-T"}, "echo output"
		cmd := n.ssh(c)
		r := runCmd(t, cmd)
		r.expect(t, 0, "output\n", "the disks are being changed")
		if got := strings.TrimRight(readFile(t, typed), "\x00"); got != password {
			t.Errorf("by %s the module got %q, want what was typed", method, got)
		}
		asked := readFile(t, variableOf(cmd, "ANSWERS")+".asked")
		if !regexp.MustCompile(`(?m)[Pp]assword: ?$`).MatchString(asked) {
			t.Errorf("by %s the client showed %q, want the module's question", method, asked)
		}
	}
}

func variableOf(cmd *exec.Cmd, name string) (value string) {
	for _, variable := range cmd.Env {
		if text, found := strings.CutPrefix(variable, name+"="); found {
			value = text
		}
	}
	return value
}

// TestNoChannelIsThereBeforePAMHasSaidYes: what a certificate alone opens is nothing,
// whatever is asked for.
func TestNoChannelIsThereBeforePAMHasSaidYes(t *testing.T) {
	t.Parallel()
	n := keyed(t, counting(t), twoFactors)
	certificate := n.certify("good", "node34")
	for name, args := range map[string][]string{
		"a shell":                {"-tt"},
		"a command":              {"-T"},
		"sftp":                   {"-s"},
		"a forwarded connection": {"-W", "127.0.0.1:" + strings.Split(n.address(), ":")[1]},
		"a forwarded port":       {"-N", "-L", n.path("socket") + ":127.0.0.1:1"},
		"a port of the node":     {"-N", "-R", "0:127.0.0.1:1"},
		"an agent":               {"-A"},
		"nothing":                {"-N"},
	} {
		c := n.byCertificate("node34", certificate)
		c.answers[0].text, c.args = "wrong", args
		switch name {
		case "a command", "an agent":
			c.line = "echo in"
		case "sftp":
			c.line = "sftp"
		}
		if r := n.run(c); r.status != 255 || r.stdout != "" || !strings.Contains(r.stderr, "Permission denied (keyboard-interactive)") {
			t.Errorf("%s: got %+v, want it denied by PAM", name, r)
		}
	}
	for _, never := range []string{"open_session", "setcred(2)"} {
		if got := calls("node34"); strings.Contains(got, never) || !strings.Contains(got, "authenticate") {
			t.Errorf("calls of modules: got %s, want authenticate and no %s", got, never)
		}
	}
	if strings.Contains(n.log.String(), "process started") {
		t.Error("a process was started")
	}
	c := n.byCertificate("node34", certificate)
	c.line = "echo in"
	n.run(c).expect(t, 0, "in\n", "")
}

// TestModulesOfANodeSeeWhereALoginComesFrom, so that pam_access and pam_faillock have
// something to decide by.
func TestModulesOfANodeSeeWhereALoginComesFrom(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeFile(t, dir+"/access.conf", "+:node35:127.0.0.1\n-:ALL:ALL\n")
	stack := strings.Join([]string{
		"auth required pam_faillock.so preauth nodelay deny=2 unlock_time=600 dir=" + dir,
		"auth [success=1 default=bad] pam_unix.so nodelay",
		"auth [default=die] pam_faillock.so authfail nodelay deny=2 unlock_time=600 dir=" + dir,
		"auth required pam_permit.so",
		"account required pam_faillock.so dir=" + dir,
		"account required pam_access.so nodefgroup accessfile=" + dir + "/access.conf",
		"session required pam_exec.so quiet " + script(t, `echo "$PAM_TYPE $PAM_USER $PAM_RHOST $PAM_TTY $PAM_SERVICE ${PAM_RUSER-no remote user}" >>`+dir+"/seen\n"),
	}, "\n")
	n := nodeWith(t, helperWith(t, stack, nil), passwords)
	right := byPassword("node35", "password", password)
	right.line = "true"
	n.run(right).expect(t, 0, "", "")
	eventually(t, func() bool { return strings.Count(readFile(t, dir+"/seen"), "\n") == 2 }, "both calls of the script")
	if got, want := readFile(t, dir+"/seen"), "open_session node35 127.0.0.1 ssh sshd no remote user\nclose_session node35 127.0.0.1 ssh sshd no remote user\n"; got != want {
		t.Errorf("the script saw\n%s\nwant\n%s", got, want)
	}
	// Who comes from elsewhere is kept out by the same file.
	n.run(byPassword("node36", "password", password)).expect(t, 255, "", "Permission denied")
	n.logs("pam_access.so")
	for range 2 {
		n.run(byPassword("node35", "password", "wrong")).expect(t, 255, "", "Permission denied")
	}
	n.run(right).expect(t, 255, "", "Permission denied")
	faillock := run(t, "", "faillock", "--dir", dir, "--user", "node35")
	if got := strings.Count(faillock.stdout, "RHOST 127.0.0.1"); got != 2 {
		t.Errorf("faillock: got %+v, want 2 failures from 127.0.0.1", faillock)
	}
}

// TestGroupsAndLimitsOfModulesReachTheNodesProcesses, those on a terminal as well.
func TestGroupsAndLimitsOfModulesReachTheNodesProcesses(t *testing.T) {
	t.Parallel()
	n := nodeWith(t, helperWith(t, "auth optional pam_group.so\n"+unixStack+"\nsession required pam_limits.so", map[string]string{
		"/etc/security/group.conf": "sshd;ssh;node37;Al0000-2400;console\n",
		limitsFile:                 "node37 - nofile 123\nnode37 - core 0\n",
	}), passwords)
	for _, terminal := range []string{"-T", "-tt"} {
		c := byPassword("node37", "password", password)
		c.args, c.line = []string{terminal}, "id -Gn; ulimit -n; ulimit -Hn; ulimit -c"
		r := n.run(c)
		got := strings.ReplaceAll(r.stdout, "\r", "")
		if groups, limits, _ := strings.Cut(got, "\n"); !slices.Contains(strings.Fields(groups), "console") || limits != "123\n123\n0\n" {
			t.Errorf("with %s: got %+v, want the group console and 123, 123 and 0", terminal, r)
		}
	}
}

// TestThePageForTeleportHasTheGuidesFilesAndNamesTestsThatExist: the files are those
// that other tests here log in with.
func TestThePageForTeleportHasTheGuidesFilesAndNamesTestsThatExist(t *testing.T) {
	page := readFile(t, "../../agent/TELEPORT.md")
	for _, file := range []string{guideScript, nodeServices["/etc/pam.d/teleport"]} {
		if !strings.Contains(page, file) {
			t.Errorf("TELEPORT.md lacks the guide's file\n%s", file)
		}
	}
	_, reports, _ := strings.Cut(page, "\n## What users of Teleport have reported")
	exist, overSSH := testsOf(t, "../../..", "_test.go"), testsOf(t, ".", "node_")
	for _, report := range reportsOfUsers {
		var row string
		for line := range strings.Lines(reports) {
			if strings.HasPrefix(line, "|") && strings.Contains(line, report) {
				row += line
			}
		}
		named := regexp.MustCompile("`(Test[A-Za-z0-9]+)`").FindAllStringSubmatch(row, -1)
		if strings.Count(row, "\n") != 1 || len(named) == 0 {
			t.Errorf("TELEPORT.md has %q of the report about %q, want one line with its tests", row, report)
			continue
		}
		if !slices.Contains(overSSH, named[0][1]) {
			t.Errorf("TELEPORT.md has %s for the report about %q, want a test that logs in over SSH first", named[0][1], report)
		}
		for _, name := range named {
			if !slices.Contains(exist, name[1]) {
				t.Errorf("TELEPORT.md names the test %s, which does not exist", name[1])
			}
		}
	}
}

// reportsOfUsers are words of the reports, each of which has a line in the page.
var reportsOfUsers = []string{
	"loginuid", "the binary was replaced", "its newline", "hidden question", "messages were lost", "forwarding channels",
	"`pam_group` had no effect", "remote address and terminal were empty", "`pam_limits` were lost",
}
