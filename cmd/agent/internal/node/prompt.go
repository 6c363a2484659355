package node

import (
	"net"

	"golang.org/x/sys/unix"
)

// prompt is a connection whose first packets are acknowledged as they come (tcp(7),
// TCP_QUICKACK). A login goes back and forth in small ones, and clients such as
// OpenSSH's do not send the next before the one in front of it is acknowledged: the
// kernel waits up to 40 ms with that, twice in a key exchange alone.
type prompt struct {
	*net.TCPConn
	left int // how many are still acknowledged at once
}

// promptPackets is more than a login and the start of its first process take. Behind
// them, to acknowledge what somebody types apart from its echo would only cost.
const promptPackets = 40

// promptly makes a connection of TCP one that is prompt.
func promptly(c net.Conn) net.Conn {
	if tcp, ok := c.(*net.TCPConn); ok {
		return &prompt{tcp, promptPackets}
	}
	return c
}

// Read is for one goroutine, as the SSH library has it.
func (p *prompt) Read(b []byte) (int, error) {
	n, err := p.TCPConn.Read(b)
	// The library reads the client's identification byte by byte.
	if len(b) > 1 && n > 0 && p.left > 0 {
		p.left--
		p.acknowledge()
	}
	return n, err
}

// acknowledge does it now: the kernel keeps no such setting. Where it cannot, the
// login is slower.
func (p *prompt) acknowledge() {
	if raw, err := p.SyscallConn(); err == nil {
		raw.Control(func(fd uintptr) { unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_QUICKACK, 1) })
	}
}
