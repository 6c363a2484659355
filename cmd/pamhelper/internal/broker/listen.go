package broker

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

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
	if _, err := netip.ParseAddrPort(address); err != nil && !strings.HasPrefix(address, ":") {
		return nil, fmt.Errorf("not a numeric address with a port, such as 192.0.2.7:22, [2001:db8::7]:22 or :22")
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
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

func closeAll(files []*os.File) {
	for _, file := range files {
		file.Close()
	}
}
