package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// saslauthd is Cyrus SASL's daemon, with its usual five processes, which it uses
// again and again.
type saslauthd struct{ dir string }

const saslauthdProcesses = 5

// startSaslauthd starts it. It goes into the background by itself.
func startSaslauthd() (*saslauthd, error) {
	s := &saslauthd{dir: base + "/saslauthd"}
	if err := os.MkdirAll(s.dir, 0o755); err != nil {
		return nil, err
	}
	if err := exec.Command("/usr/sbin/saslauthd", "-a", "pam", "-n", strconv.Itoa(saslauthdProcesses), "-m", s.dir).Run(); err != nil {
		return nil, fmt.Errorf("saslauthd: %w", err)
	}
	return s, eventually(func() bool { return s.login(unixService) == nil }, "saslauthd that answers: %v", s.login(unixService))
}

// end ends its processes, which are this one's children now.
func (s *saslauthd) end() error {
	text, err := os.ReadFile(s.dir + "/saslauthd.pid")
	if err != nil {
		return err
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return err
	}
	return syscall.Kill(pid, syscall.SIGTERM)
}

// login asks once, in the protocol of its socket: four texts with their lengths in two
// bytes, and one back.
func (s *saslauthd) login(service string) error {
	conn, err := net.Dial("unix", s.dir+"/mux")
	if err != nil {
		return err
	}
	defer conn.Close()
	var request []byte
	for _, text := range []string{user, password, service, ""} {
		request = append(binary.BigEndian.AppendUint16(request, uint16(len(text))), text...)
	}
	if _, err := conn.Write(request); err != nil {
		return err
	}
	answer, err := io.ReadAll(conn)
	if err != nil {
		return err
	}
	if len(answer) < 4 || !bytes.HasPrefix(answer[2:], []byte("OK")) {
		return fmt.Errorf("saslauthd: got %q, want OK", answer)
	}
	return nil
}

// logins makes as many, so many at once.
func (s *saslauthd) logins(service string, count, atOnce int) (time.Duration, error) {
	var left atomic.Int64
	left.Store(int64(count))
	var all sync.WaitGroup
	errs := make([]error, atOnce)
	began := time.Now()
	for i := range atOnce {
		all.Go(func() {
			for left.Add(-1) >= 0 && errs[i] == nil {
				errs[i] = s.login(service)
			}
		})
	}
	all.Wait()
	return time.Since(began), errors.Join(errs...)
}
