package realpam_test

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pamhelper/pamhelper/pkg/ipc"
)

func TestLoginuidIsTheUsers(t *testing.T) {
	t.Parallel()
	client := openStack(t, "loginuid1", "session required pam_loginuid.so")
	for range 2 {
		expectOutput(t, client, "cat /proc/self/loginuid", idOf(t, "loginuid1"))
	}
	endLogin(t, client, "loginuid1")
}

func TestSessionKeyringIsTheLoginsAndRevokedWithIt(t *testing.T) {
	t.Parallel()
	const stack = "session required pam_keyinit.so force revoke"
	client, other := openStack(t, "keyring1", stack), openStack(t, "keyring1", stack)
	shown := runIn(t, client, "keyctl add user token secret @s >/dev/null && keyctl rdescribe @s && exec keyctl id @s", "")
	lines := strings.Split(strings.TrimSpace(shown.stdout), "\n")
	if len(lines) != 2 || !strings.HasPrefix(lines[0], "keyring;"+idOf(t, "keyring1")+";") || !strings.HasSuffix(lines[0], ";_ses") {
		t.Fatalf("session keyring: got %+v, want one named _ses that is the user's, and its number", shown)
	}
	keyring := lines[1]
	expectOutput(t, client, "keyctl id @s && exec keyctl pipe %user:token", keyring+"\nsecret")
	if o := runIn(t, other, "exec keyctl id @s", ""); o.stdout == keyring+"\n" || o.exit.Status != 0 {
		t.Errorf("keyring of another login of the user: got %+v, want one of its own, not %s", o, keyring)
	}
	if o := asUser(t, "keyring1", "keyctl", "describe", keyring); o.status != 0 {
		t.Errorf("the keyring before the end: got %+v, want status 0", o)
	}
	if results, err := client.Do(t.Context(), ipc.CloseSession, ipc.End); err != nil {
		t.Fatalf("got %q, %v", show(results), err)
	}
	gone := asUser(t, "keyring1", "keyctl", "describe", keyring)
	if gone.status == 0 || !strings.Contains(gone.stderr, "revoked") && !strings.Contains(gone.stderr, "not available") {
		t.Errorf("the keyring after the end: got %+v, want it revoked or gone", gone)
	}
	expectOutput(t, other, "keyctl rdescribe @s | cut -d ';' -f 5", "_ses\n")
}

func TestGroupOfSetcredReachesTheUser(t *testing.T) {
	t.Parallel()
	helper := helperWith(t, "auth optional pam_group.so\nauth required pam_permit.so",
		map[string]string{"/etc/security/group.conf": "sshd;ssh;group1;Al0000-2400;console\n"})
	client := openSessionOf(t, "group1", helper)
	got := strings.Fields(runIn(t, client, "id -Gn", "").stdout)
	want := []string{"group1", "lab", "console"}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("groups: got %q, want %q", got, want)
	}
	endLogin(t, client, "group1")
	other := openSessionOf(t, "alice", helper)
	if got := runIn(t, other, "id -Gn", "").stdout; strings.Contains(got, "console") {
		t.Errorf("groups of somebody whom the file does not name: got %q, want no console", got)
	}
}

// envFiles are what pam_env reads of the system.
var envFiles = map[string]string{
	"/etc/security/pam_env.conf": "FROM DEFAULT=nowhere OVERRIDE=@{PAM_RHOST}\nGREETING DEFAULT=\"hello @{PAM_USER}\"\n",
	"/etc/environment":           "EDITOR=ed\nPAGER=less\n",
}

func TestEnvOfTheSystemAndOfTheUserReachTheProcess(t *testing.T) {
	t.Parallel()
	ready(t)
	writeFile(t, "/home/env1/.pam_environment", "EDITOR=vi\nOWN DEFAULT=@{HOME}/own\n")
	client := openSessionOf(t, "env1", helperWith(t, "session required pam_env.so user_readenv=1", envFiles))
	expectOutput(t, client, `echo "$FROM|$GREETING|$EDITOR|$PAGER|$OWN|$USER"`, remote+"|hello env1|vi|less|/home/env1/own|env1\n")
	endLogin(t, client, "env1")
}

func TestEnvOfTheUserIsNotReadUnlessTheStackSaysSo(t *testing.T) {
	t.Parallel()
	ready(t)
	writeFile(t, "/home/env2/.pam_environment", "EDITOR=vi\n")
	client := openSessionOf(t, "env2", helperWith(t, "session required pam_env.so", envFiles))
	expectOutput(t, client, `echo "$EDITOR"`, "ed\n")
	endLogin(t, client, "env2")
}

func TestHomeIsMadeBeforeTheProcessStartsInIt(t *testing.T) {
	t.Parallel()
	ready(t)
	if err := os.RemoveAll("/home/home1"); err != nil {
		t.Fatal(err)
	}
	skeleton := t.TempDir()
	writeFile(t, skeleton+"/welcome", "to your home\n")
	client := openStack(t, "home1", "session required pam_mkhomedir.so umask=0077 skel="+skeleton)
	expectOutput(t, client, "pwd; stat -c %U:%a . welcome; cat welcome; echo >made", "/home/home1\nhome1:700\nhome1:600\nto your home\n")
	endLogin(t, client, "home1")
}

func TestMotdAndMailAreTold(t *testing.T) {
	t.Parallel()
	ready(t)
	// The module reads as the user, who may not enter the test's own directory.
	writeFile(t, "/run/motd.mail1", "maintenance on friday\n\tcaf\xe9\n")
	writeFile(t, "/var/mail/mail1", "From root Thu Jan  1 00:00:00 1970\n\nhello\n")
	if err := os.Chtimes("/var/mail/mail1", time.Unix(1, 0), time.Unix(2, 0)); err != nil { // not read since it came
		t.Fatal(err)
	}
	p := &person{}
	client, _ := dialHelper(t, p, helperWith(t,
		"session optional pam_motd.so motd=/run/motd.mail1\nsession optional pam_mail.so standard", nil))
	if _, err := client.Login(t.Context(), loginOf("mail1"), ipc.Authenticate, ipc.Account, ipc.Credentials, ipc.OpenSession); err != nil {
		t.Fatal(err)
	}
	if want := []string{"info: maintenance on friday\n\tcaf\xe9", "info: You have new mail."}; !slices.Equal(p.said, want) {
		t.Errorf("messages: got %q, want %q", p.said, want)
	}
	expectOutput(t, client, `cat "$MAIL" | tail -n 1`, "hello\n")
	endLogin(t, client, "mail1")
}

func TestExecAtOpenAndAtCloseSeesTheLogin(t *testing.T) {
	t.Parallel()
	ready(t)
	const seen = records + "/exec1"
	look := script(t, `{ echo "== $PAM_TYPE in $(pwd) as $(id -u), umask $(umask)"; env | grep -v -E "^(PWD|OLDPWD|SHLVL|_)=" | sort; } >>`+seen+`
echo "$PAM_TYPE was run"
`)
	p := &person{}
	client, _ := dialHelper(t, p, helperWith(t, "session required pam_env.so\nsession required pam_exec.so stdout "+look,
		map[string]string{"/etc/environment": "COLOUR=blue\n", "/etc/security/pam_env.conf": ""}))
	login := loginOf("exec1")
	login.Variables = []ipc.Variable{{Name: "TELEPORT_ROLES", Value: "access editor"}}
	if _, err := client.Login(t.Context(), login, ipc.Authenticate, ipc.Account, ipc.Credentials, ipc.OpenSession); err != nil {
		t.Fatal(err)
	}
	expectOutput(t, client, `head -n 1 `+seen+`; echo "$COLOUR $TELEPORT_LOGIN"`, "== open_session in / as 0, umask 0022\nblue exec1\n")
	endLogin(t, client, "exec1")
	want := ""
	for _, when := range []string{"open_session", "close_session"} {
		want += "== " + when + " in / as 0, umask 0022\nCOLOUR=blue\nPAM_RHOST=" + remote + "\nPAM_SERVICE=sshd\nPAM_TTY=ssh\nPAM_TYPE=" +
			when + "\nPAM_USER=exec1\nTELEPORT_LOGIN=exec1\nTELEPORT_ROLES=access editor\n"
	}
	if got := readFile(t, seen); got != want {
		t.Errorf("what the script saw: got\n%s\nwant\n%s", got, want)
	}
	if want := []string{"info: open_session was run", "info: close_session was run"}; !slices.Equal(p.said, want) {
		t.Errorf("messages: got %q, want %q", p.said, want)
	}
}

// TestXauthAndSELinuxLetTheSessionBe: the one finds no display, the other no
// SELinux in the kernel, and both say so.
func TestXauthAndSELinuxLetTheSessionBe(t *testing.T) {
	for _, c := range []struct{ user, stack, says string }{
		{"xauth1", "session required pam_xauth.so debug", "user has no DISPLAY"},
		{"selinux1", "session required pam_selinux.so close debug\nsession required pam_selinux.so open debug", "SELinux is not enabled"},
	} {
		t.Run(c.user, func(t *testing.T) {
			t.Parallel()
			client := openStack(t, c.user, c.stack)
			expectOutput(t, client, "id -un", c.user+"\n")
			endLogin(t, client, c.user)
			waitLogged(t, "(sshd:session)", c.says)
		})
	}
}
