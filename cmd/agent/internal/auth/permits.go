package auth

// Permits are what a certificate lets its owner do. Of forwarding it says
// nothing: there is none.
type Permits struct {
	Terminal bool
	// Command is run in place of whatever is asked for, where Forced. It is not empty
	// then.
	Command string
	Forced  bool
	// SourceAddress, where Restricted, lists the addresses that a login may come
	// from, in the form of the critical option.
	SourceAddress string
	Restricted    bool
}

// everything is for who has no certificate.
func everything() Permits { return Permits{Terminal: true} }

// Names of critical options and extensions (OpenSSH, PROTOCOL.certkeys).
const (
	forceCommand  = "force-command"
	sourceAddress = "source-address"
	permitPTY     = "permit-pty"
)

// options are the critical options for x/crypto/ssh, which checks the address.
func (p Permits) options() map[string]string {
	if !p.Restricted {
		return nil
	}
	return map[string]string{sourceAddress: p.SourceAddress}
}
