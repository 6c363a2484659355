package broker

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// ErrAddress: an address could not be listened on. It may be free a little later, such
// as when an agent whose broker was killed has ended.
var ErrAddress = errors.New("cannot listen there")

// maxListen is the most sockets to listen on.
const maxListen = 64

// listen opens the sockets that the agent is to serve, blocking ones, as systemd
// does.
func listen(addresses []string) (sockets []*os.File, err error) {
	if len(addresses) > maxListen {
		return nil, fmt.Errorf("--listen %d times; at most %d", len(addresses), maxListen)
	}
	defer func() {
		if err != nil {
			closeAll(sockets)
		}
	}()
	for _, address := range addresses {
		socket, err := listenOn(address)
		if err != nil {
			return sockets, fmt.Errorf("--listen %s: %w", address, err)
		}
		sockets = append(sockets, socket)
	}
	return sockets, nil
}

func listenOn(address string) (*os.File, error) {
	// A name would be asked for outside, as root.
	at, err := netip.ParseAddrPort(address)
	if err != nil && !isPort(address) {
		return nil, errors.New("not a numeric address with a port, such as 192.0.2.7:22, [2001:db8::7]:22 or :22")
	}
	network := "tcp"
	if at.Addr().Is4() {
		network = "tcp4" // else 0.0.0.0 would be all of IPv6 as well
	}
	listener, err := net.Listen(network, address)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrAddress, explain(err))
	}
	defer listener.Close() // the socket goes on under its other descriptor
	socket, err := listener.(*net.TCPListener).File()
	if err != nil {
		return nil, err
	}
	if err := unix.SetNonblock(int(socket.Fd()), false); err != nil {
		socket.Close()
		return nil, err
	}
	return socket, nil
}

// isPort reports whether an address is a port alone, on all addresses.
func isPort(address string) bool {
	port, found := strings.CutPrefix(address, ":")
	_, err := strconv.ParseUint(port, 10, 16)
	return found && err == nil
}

// explain says what to do about an error of net.Listen, which repeats the address.
func explain(err error) error {
	var errno syscall.Errno
	if !errors.As(err, &errno) {
		return err
	}
	switch errno {
	case unix.EADDRINUSE:
		return fmt.Errorf("%w; another process has it: ss -ltnp shows which", errno)
	case unix.EADDRNOTAVAIL:
		return fmt.Errorf("%w; no interface of this machine has it: ip address shows those that there are", errno)
	case unix.EACCES:
		return fmt.Errorf("%w; root lacks CAP_NET_BIND_SERVICE here", errno)
	}
	return errno
}

func closeAll(files []*os.File) {
	for _, file := range files {
		file.Close()
	}
}
