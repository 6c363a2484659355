// Package preflight is "agent check": it looks at what a configuration names, as
// the SSH service would use it, and starts nothing. All that is wrong is found in
// one run.
package preflight

import (
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/pamhelper/pamhelper/cmd/agent/internal/config"
	"github.com/pamhelper/pamhelper/pkg/pamstack"
)

// Level says how bad an item is.
type Level string

// The levels, the least first.
const (
	OK      Level = "ok"
	Note    Level = "note"    // nothing wrong, and good to know
	Warning Level = "warning" // some login, or a later one, may not be as it is meant
	Error   Level = "error"   // the service does not start, or its logins fail
)

// Item is one thing that was looked at.
type Item struct {
	Level Level  `json:"level"`
	About string `json:"about"` // a key of the configuration, or FILE:LINE
	Text  string `json:"text"`
}

// Report is what was found.
type Report struct {
	Items []Item `json:"items"`
	// Policy is what the helper's policy has to hold for this configuration, in
	// protobuf's text format.
	Policy string `json:"policy"`
}

// Run looks at everything. pam says where services are read; policy is the file of
// the helper's policy.
func Run(c *config.Config, pam pamstack.Config, policy string) *Report {
	r := &Report{}
	if err := c.Ready(); err != nil {
		r.add(Error, "ssh_service", "%v", err)
	}
	r.address(c.SSH.ListenAddr)
	r.ways(c)
	r.keys(c.SSH)
	services := servicesOf(c)
	for _, s := range services {
		r.service(s, pam)
	}
	r.environment(c.SSH.PAM)
	if c.SSH.Enabled {
		r.installed(services, policy)
	}
	r.helper(c.Helper)
	r.Policy = needed(services)
	return r
}

// Failed says that there is an error.
func (r *Report) Failed() bool {
	for _, item := range r.Items {
		if item.Level == Error {
			return true
		}
	}
	return false
}

func (r *Report) add(level Level, about, format string, args ...any) {
	r.Items = append(r.Items, Item{level, about, fmt.Sprintf(format, args...)})
}

// Count is a number of things, as in "1 error" and "2 errors".
func Count(n int, thing string) string {
	if n != 1 {
		thing += "s"
	}
	return strconv.Itoa(n) + " " + thing
}

// result is an item for something that is right, or for what is wrong with it.
func (r *Report) result(about, right string, err error) {
	if err != nil {
		r.add(Error, about, "%v", err)
		return
	}
	r.add(OK, about, "%s", right)
}

// address says where the agent cannot open its port itself.
func (r *Report) address(address string) {
	_, number, _ := net.SplitHostPort(address) // which the configuration has shown to be right
	if port, err := strconv.Atoi(number); err == nil && 0 < port && port < 1024 {
		r.add(Note, "ssh_service.listen_addr", "a port below 1024 is opened by root: pamhelper broker --listen %s, or a socket unit", address)
	}
}

// ways says who would be let in, and how.
func (r *Report) ways(c *config.Config) {
	second := ""
	if c.SSH.PAM.UsePAMAuth {
		second = ", and what PAM asks for"
	}
	if len(c.SSH.TrustedUserCAKeys) > 0 {
		r.add(OK, "ssh_service.trusted_user_ca_keys", "a certificate%s, through the PAM service %s", second, c.SSH.PAM.ServiceName)
	}
	if c.SSH.AuthorizedKeys != "" {
		r.add(OK, "ssh_service.authorized_keys", "a public key%s, through the PAM service %s", second, c.SSH.PAM.ServiceName)
	}
	if c.SSH.PasswordServiceName != "" {
		r.add(OK, "ssh_service.password_service_name", "what PAM asks for alone, through the PAM service %s", c.SSH.PasswordServiceName)
	}
}

// environment says what the variables are made of. That they parse the
// configuration has shown already.
func (r *Report) environment(pam config.PAM) {
	for _, variable := range pam.Environment {
		if bare, found := variable.Value.BareClaim(); found {
			r.add(Warning, "ssh_service.pam.environment."+variable.Name, "a text, and no claim: write %s if it is to be one", quoted("{{ "+bare+" }}"))
			continue
		}
		made := "the same for every login"
		if claims := variable.Value.Claims(); len(claims) > 0 {
			made = fmt.Sprintf("of the claim %s; left out where a login has none", strings.Join(claims, ", "))
		}
		r.add(OK, "ssh_service.pam.environment."+variable.Name, "%s", made)
	}
}

// quoted is an expression in quotes of YAML that it has none of.
func quoted(expression string) string {
	if strings.Contains(expression, `"`) {
		return "'" + expression + "'"
	}
	return `"` + expression + `"`
}

// OfProblems is the report of a configuration that is none.
func OfProblems(problems config.Problems) *Report {
	r := &Report{}
	for _, p := range problems {
		r.add(Error, fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column), "%s", p.Text)
	}
	return r
}
