package realpam_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// claimed is the configuration of a node whose variables come from claims. The policy
// has those of them under module_getenv whose names begin with SITE_GETENV.
const claimed = `
  trusted_user_ca_keys: [DIR/ca.pub]
  pam:
    enabled: yes
    use_pam_auth: yes
    service_name: getenv
    environment:
      SITE_GETENV_MAILBOX: "{{ email.local(external.email) }}"
      SITE_GETENV_TEAMS: "{{ external.groups }}"
      SITE_GETENV_NONE: '{{ regexp.replace(external.groups, "^x(.*)$", "$1") }}'
      SITE_GETENV_ABSENT: "{{ external.absent }}"
      SITE_MAIL: "{{ external.email }}"
`

// traits are the claims of a certificate.
func traits(text string) []string {
	return []string{"-O", `extension:teleport-roles={"version":"v1","roles":["access"]}`, "-O", "extension:teleport-traits=" + text}
}

// claiming is a node with a module and a script that note what they find.
func claiming(t *testing.T) (n *node, environs, scripts string) {
	t.Helper()
	n = newNode(t)
	dir := t.TempDir()
	module, environs, scripts := filepath.Join(dir, "pam_environ.so"), filepath.Join(dir, "environs"), filepath.Join(dir, "scripts")
	if err := command("gcc", "-shared", "-fPIC", "-Wall", "-Werror", "-o", module, "testdata/pam_environ.c", "-lpam"); err != nil {
		t.Fatal(err)
	}
	stack := "auth required " + module + " " + environs + "\n" + unixStack + "\nsession required " + module + " " + environs +
		"\nsession required pam_exec.so " + script(t, `echo "$PAM_TYPE ${SITE_GETENV_NONE-no variable}|${SITE_GETENV_ABSENT-no variable}|$SITE_GETENV_TEAMS" >>`+scripts+"\n")
	n.mounts = "mount --bind '" + pamService(t, stack) + "' /etc/pam.d/getenv\n"
	n.keygen("ca")
	n.keygen("key")
	n.configure(claimed)
	n.start(pamhelper)
	return n, environs, scripts
}

// TestModulesFindClaimsByGetenvWhereThePolicyNamesThem and nothing else: the
// environment of the process is empty otherwise.
func TestModulesFindClaimsByGetenvWhereThePolicyNamesThem(t *testing.T) {
	t.Parallel()
	n, environs, scripts := claiming(t)
	c := n.byCertificate("node24", n.certify("claims", "node24", traits(`{"email":["alice@example.com"],"groups":["dev","ops"]}`)...))
	c.line = "echo in"
	n.run(c).expect(t, 0, "in\n", "")
	named := []string{"SITE_GETENV_MAILBOX=alice", "SITE_GETENV_NONE=", "SITE_GETENV_TEAMS=dev ops"}
	others := []string{"SITE_MAIL=alice@example.com", "TELEPORT_LOGIN=node24", "TELEPORT_ROLES=access", "TELEPORT_USERNAME=alice@example.com"}
	seen := readFile(t, environs)
	for _, function := range []string{"authenticate", "open_session"} {
		for where, want := range map[string][]string{"environ": named, "pam": slices.Concat(named, others)} {
			var got []string
			for line := range strings.Lines(seen) {
				if variable, is := strings.CutPrefix(strings.TrimSuffix(line, "\n"), function+" "+where+" "); is {
					got = append(got, variable)
				}
			}
			slices.Sort(got)
			if !slices.Equal(got, want) {
				t.Errorf("%s found in %s\n%q\nwant\n%q", function, where, got, want)
			}
		}
	}
	n.logs(`msg="a variable is left out"`)
	n.logs(`why="SITE_GETENV_ABSENT is left out: there is no claim \"absent\""`)
	want := "open_session |no variable|dev ops\nclose_session |no variable|dev ops\n"
	eventually(t, func() bool { return readFile(t, scripts) == want }, "a script that notes\n%s", want)
}

// TestAMailAddressThatIsNoneRefusesTheLogin before any module is asked, and the log
// says why.
func TestAMailAddressThatIsNoneRefusesTheLogin(t *testing.T) {
	t.Parallel()
	n, environs, _ := claiming(t)
	c := n.byCertificate("node24", n.certify("claims", "node24", traits(`{"email":["alice at example"],"groups":["dev"]}`)...))
	c.line = "echo in"
	r := n.run(c)
	r.expect(t, 255, "", "Permission denied")
	if strings.Contains(r.stderr, "alice at example") || strings.Contains(r.stderr, "SITE_") {
		t.Errorf("the client is told %q, want nothing of why", r.stderr)
	}
	n.logs(`msg="login failed"`)
	n.logs(`the configuration's environment: the variable SITE_GETENV_MAILBOX: email.local: \"alice at example\" is no mail address`)
	if seen, err := os.ReadFile(environs); !os.IsNotExist(err) {
		t.Errorf("the module was called: %q, %v", seen, err)
	}
}
