package libpam

import (
	"fmt"
	"strings"

	"github.com/msteinert/pam/v2"
)

// Flags of the calls (pam_authenticate(3) and the others).
type Flags int

// The flags that PAM defines for applications.
const (
	Silent               = Flags(pam.Silent)
	DisallowNullAuthtok  = Flags(pam.DisallowNullAuthtok)
	EstablishCred        = Flags(pam.EstablishCred)
	DeleteCred           = Flags(pam.DeleteCred)
	ChangeExpiredAuthtok = Flags(pam.ChangeExpiredAuthtok)
)

// flagNames are the flags a person may choose, as they are written.
var flagNames = []struct {
	name string
	flag Flags
}{
	{"none", 0},
	{"silent", Silent},
	{"disallow-null", DisallowNullAuthtok},
	{"change-expired", ChangeExpiredAuthtok},
}

// FlagNames lists the names that ParseFlags knows, for a help text.
func FlagNames() string {
	var names []string
	for _, f := range flagNames {
		names = append(names, f.name)
	}
	return strings.Join(names, ", ")
}

// ParseFlags reads names with commas between them, such as
// "silent,disallow-null".
func ParseFlags(list string) (Flags, error) {
	var flags Flags
words:
	for word := range strings.SplitSeq(list, ",") {
		for _, f := range flagNames {
			if word == f.name {
				flags |= f.flag
				continue words
			}
		}
		return 0, fmt.Errorf("unknown PAM flag %q; known are: %s", word, FlagNames())
	}
	return flags, nil
}
