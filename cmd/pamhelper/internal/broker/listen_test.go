package broker

import (
	"testing"

	"golang.org/x/sys/unix"
)

// TestAnAddressOfIPv4IsNoneOfIPv6 also where it is that of all interfaces.
func TestAnAddressOfIPv4IsNoneOfIPv6(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]int{
		"0.0.0.0:0": unix.AF_INET, "127.0.0.1:0": unix.AF_INET, "[::]:0": unix.AF_INET6, ":0": unix.AF_INET6,
	} {
		sockets, err := listen([]string{address})
		if err != nil {
			t.Fatal(err)
		}
		defer closeAll(sockets)
		if got, err := unix.GetsockoptInt(int(sockets[0].Fd()), unix.SOL_SOCKET, unix.SO_DOMAIN); got != want {
			t.Errorf("%s: got the domain %d, %v; want %d", address, got, err, want)
		}
	}
}
