package check

import (
	"strconv"
	"strings"
)

// auditControl is CAP_AUDIT_CONTROL (linux/capability.h).
const auditControl = 30

// hasAuditControl says that processes here can have CAP_AUDIT_CONTROL. Where it
// cannot be told they can.
func (c *checker) hasAuditControl() bool {
	for line := range strings.Lines(string(c.read("/proc/self/status"))) {
		if set, is := strings.CutPrefix(line, "CapBnd:"); is {
			bits, err := strconv.ParseUint(strings.TrimSpace(set), 16, 64)
			return err != nil || bits>>auditControl&1 == 1
		}
	}
	return true
}
