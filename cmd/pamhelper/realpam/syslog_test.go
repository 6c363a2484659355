package realpam_test

import (
	"net"
	"strings"
	"sync"
	"testing"
)

// syslogLines is what was sent to the machine's /dev/log.
var syslogLines struct {
	sync.Mutex
	lines []string
}

// listenLog collects the log until the process ends.
func listenLog() error {
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: "/dev/log", Net: "unixgram"})
	if err != nil {
		return err
	}
	go func() {
		buf := make([]byte, 64<<10)
		for {
			n, err := conn.Read(buf)
			if err != nil {
				return
			}
			syslogLines.Lock()
			syslogLines.lines = append(syslogLines.lines, string(buf[:n]))
			syslogLines.Unlock()
		}
	}()
	return nil
}

// logged returns the log's lines that hold all words.
func logged(words ...string) (found []string) {
	syslogLines.Lock()
	defer syslogLines.Unlock()
lines:
	for _, line := range syslogLines.lines {
		for _, word := range words {
			if !strings.Contains(line, word) {
				continue lines
			}
		}
		found = append(found, line)
	}
	return found
}

// waitLogged waits for a line that holds all words.
func waitLogged(t *testing.T, words ...string) string {
	t.Helper()
	eventually(t, func() bool { return len(logged(words...)) > 0 }, "a log line with %q; the log:\n%s", words, lazyLog{})
	return logged(words...)[0]
}

// lazyLog prints the log as it is when it is printed.
type lazyLog struct{}

func (lazyLog) String() string { return strings.Join(logged(), "\n") }
