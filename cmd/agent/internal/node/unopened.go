package node

import "net/netip"

// unopened counts, for each network, the connections whose session is not open.
type unopened map[netip.Prefix]int

// enter counts one more connection, where there is room: all networks together may
// have most, and each as many as are still free. So one that takes all it can get
// leaves half to the others, and two a third.
func (u unopened) enter(network netip.Prefix, most int) bool {
	of, all := u.of(network)
	if of >= most-all {
		return false
	}
	u[network]++
	return true
}

func (u unopened) leave(network netip.Prefix) {
	u[network]--
	if u[network] == 0 {
		delete(u, network)
	}
}

// of returns how many connections of a network there are, and how many of all.
func (u unopened) of(network netip.Prefix) (of, all int) {
	for _, count := range u {
		all += count
	}
	return u[network], all
}

// network is whose connections are counted together: an address, and of IPv6 the
// smallest network that somebody has.
func (c *connection) network() netip.Prefix {
	bits := c.address.BitLen()
	if c.address.Is6() {
		bits = 64
	}
	network, _ := c.address.Prefix(bits)
	return network
}
