package main

import (
	"net"
	"testing"
)

// TestAnAddressIsListenedOnAsItIsWritten: 0.0.0.0 is none of IPv6.
func TestAnAddressIsListenedOnAsItIsWritten(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]struct{ four, six bool }{
		"0.0.0.0:0":   {true, false},
		"127.0.0.1:0": {true, false},
		"[::]:0":      {true, true},
		":0":          {true, true},
		"[::1]:0":     {false, true},
	} {
		listeners, err := listenersOf(address)
		if err != nil {
			t.Fatal(err)
		}
		defer listeners[0].Close()
		_, port, err := net.SplitHostPort(listeners[0].Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		for host, taken := range map[string]bool{"127.0.0.1": want.four, "::1": want.six} {
			conn, err := net.Dial("tcp", net.JoinHostPort(host, port))
			if err == nil {
				conn.Close()
			}
			if (err == nil) != taken {
				t.Errorf("%s: a connection to %s: got %v, want it taken: %v", address, host, err, taken)
			}
		}
	}
}
