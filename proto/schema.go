package pamhelperpb

import _ "embed"

// PolicySchema is the text of policy.proto: its comments are what a person is told
// of each setting.
//
//go:embed policy.proto
var PolicySchema string
