package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"syscall"

	"github.com/pamhelper/pamhelper/cmd/agent/internal/config"
	"github.com/pamhelper/pamhelper/pkg/ipc"
)

// firstPassed is the number of the first descriptor that a service is started with
// (sd_listen_fds(3)). The broker's is the control socket.
const firstPassed = 3

// listenersOf returns the listening sockets that the service was started with, or
// else one of its own.
func listenersOf(address string) ([]net.Listener, error) {
	count, _ := strconv.Atoi(os.Getenv("LISTEN_FDS"))
	if os.Getenv("LISTEN_PID") != strconv.Itoa(os.Getpid()) {
		count = 0 // they were for another program
	}
	names := strings.Split(os.Getenv("LISTEN_FDNAMES"), ":")
	var listeners []net.Listener
	for i := range count {
		if i < len(names) && names[i] == controlName {
			continue
		}
		syscall.CloseOnExec(firstPassed + i)
		file := os.NewFile(uintptr(firstPassed+i), "listener")
		l, err := net.FileListener(file)
		file.Close()
		if err != nil {
			return nil, fmt.Errorf("descriptor %d, which the service was started with, is not a listening socket: %w", firstPassed+i, err)
		}
		listeners = append(listeners, l)
	}
	if len(listeners) > 0 {
		return listeners, nil
	}
	l, err := net.Listen(networkOf(address), address)
	if err != nil {
		return nil, fmt.Errorf("ssh_service.listen_addr: %w%s", err, listenRemedy(err, address))
	}
	return []net.Listener{l}, nil
}

// networkOf is that of an address. Package net itself listens on all of IPv6 as
// well where somebody has written 0.0.0.0.
func networkOf(address string) string {
	if at, err := netip.ParseAddrPort(address); err == nil && at.Addr().Is4() {
		return "tcp4"
	}
	return "tcp"
}

// listenRemedy is what to do where an address cannot be listened on.
func listenRemedy(err error, address string) string {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return "; a port below 1024 is opened by root: pamhelper broker --listen " + address + ", or a socket unit"
	case errors.Is(err, syscall.EADDRINUSE):
		return "; another service has this port: ss -ltnp says which"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return "; this machine has no such address, or not yet"
	}
	return ""
}

// controlName is the broker's name for its control socket.
const controlName = "pamhelper"

// helperOf is the way to the helper, and what is closed when there is none any
// more.
func helperOf(conf *config.Config) (ipc.Launcher, <-chan struct{}, error) {
	if conf.Helper.Socket != "" {
		return ipc.Unix{Path: conf.Helper.Socket}, nil, nil
	}
	broker, err := ipc.OpenBroker()
	if err != nil {
		return nil, nil, err
	}
	return broker, broker.Done(), nil
}
