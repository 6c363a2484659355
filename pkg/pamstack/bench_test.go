package pamstack

import "testing"

// What a login pays for the model: the machine's own sshd.
func BenchmarkLoad(b *testing.B) {
	for b.Loop() {
		stack, err := Load("sshd", Config{})
		if err != nil || stack.Err != nil {
			b.Skip("no service sshd: ", err, stack)
		}
	}
}
