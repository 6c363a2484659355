package preflight

import (
	"fmt"
	"strings"

	"github.com/pamhelper/pamhelper/cmd/agent/internal/config"
	pb "github.com/pamhelper/pamhelper/proto"
)

// service is a PAM service that the agent would ask the helper for.
type service struct {
	name      string
	key       string // of the configuration
	proof     pb.Service_Proof
	first     bool // account comes before authenticate
	variables []string
}

// servicesOf are the services of a configuration. That of keys is not among them
// where passwords are the only way in.
func servicesOf(c *config.Config) (services []service) {
	var variables []string
	for _, variable := range c.SSH.PAM.Environment {
		variables = append(variables, variable.Name)
	}
	pam, password := c.SSH.PAM, c.SSH.PasswordServiceName
	proof := pb.Service_AGENT
	if pam.UsePAMAuth {
		proof = pb.Service_PAM
	}
	if password == "" || len(c.SSH.TrustedUserCAKeys) > 0 || c.SSH.AuthorizedKeys != "" {
		services = append(services, service{pam.ServiceName, "ssh_service.pam.service_name", proof, pam.AccountFirst, variables})
	}
	if password != "" && (len(services) == 0 || password != pam.ServiceName) {
		first := pam.AccountFirst && password == pam.ServiceName
		services = append(services, service{password, "ssh_service.password_service_name", pb.Service_PAM, first, variables})
	}
	return services
}

// needed is the policy for them. It is written here, and not by the protobuf library:
// that keeps no form of its text format.
func needed(services []service) string {
	var b strings.Builder
	for _, s := range services {
		fmt.Fprintf(&b, "service {\n  name: %q\n  proof: %s\n", s.name, s.proof)
		if s.first {
			b.WriteString("  account_first: true\n")
		}
		for _, name := range s.variables {
			fmt.Fprintf(&b, "  variable: %q\n", name)
		}
		b.WriteString("}\n")
	}
	return b.String()
}
