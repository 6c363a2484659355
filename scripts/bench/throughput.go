package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"
)

const throughputFigure = "throughput"

// measureThroughput is row (g): one file through a session, to the client and from it.
// The file is in a tmpfs and has no pages of its own, which costs no memory.
func measureThroughput(b *bench) (err error) {
	servers, err := startServers()
	defer func() { err = errors.Join(err, servers.end()) }()
	if err != nil {
		return err
	}
	bytes := int64(b.pick(1<<30, 64<<20))
	file := "/tmp/bytes"
	if err := errors.Join(os.WriteFile(file, nil, 0o644), os.Truncate(file, bytes)); err != nil {
		return err
	}
	for _, cipher := range []string{plainCipher, otherCipher} {
		for _, up := range []bool{false, true} {
			name, rounds, want := "to the client", b.often(5, 3), target{least: 1}
			if up {
				name, rounds, want = "from the client", b.often(3, 3), target{}
			}
			t := b.newTable(fmt.Sprintf("%d MiB %s, %s", bytes>>20, name, cipher), rounds, column{throughputFigure, "MiB/s"})
			// Only a login differs between the ways, so one of them is enough.
			contenders := []contender{servers.all[0].passes(file, bytes, cipher, up), servers.all[1].passes(file, bytes, cipher, up)}
			if err := t.measure(rounds, contenders); err != nil {
				return err
			}
			t.compare("ours : sshd", throughputFigure, cold, openSSH, want)
		}
	}
	return nil
}

// passes takes a file through a session. The clock runs from the start of the command,
// which says so on standard error: the login is another row.
func (s *server) passes(file string, bytes int64, cipher string, up bool) contender {
	line := "echo here >&2; exec cat " + file
	if up {
		line = "echo here >&2; exec cat >/dev/null"
	}
	return contender{name: s.name, prepare: s.settled, measure: func() (sample, error) {
		cmd := s.ssh(cipher, line)
		if up {
			from, err := os.Open(file)
			if err != nil {
				return nil, err
			}
			defer from.Close()
			cmd.Stdin = from
		}
		took, err := fromItsWord(cmd)
		return sample{throughputFigure: float64(bytes) / (1 << 20) / took.Seconds()}, err
	}}
}

// fromItsWord runs a command, and measures from what it says on standard error to its
// end.
func fromItsWord(cmd *exec.Cmd) (time.Duration, error) {
	said, err := cmd.StderrPipe()
	if err != nil {
		return 0, err
	}
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	lines := bufio.NewReader(said)
	word, readErr := lines.ReadString('\n')
	began := time.Now()
	rest, _ := io.ReadAll(lines)
	err = cmd.Wait()
	took := time.Since(began)
	if err != nil || readErr != nil || word != "here\n" {
		return 0, fmt.Errorf("ssh: got %q, %w, want here and a status of 0", word+string(rest), errors.Join(readErr, err))
	}
	return took, nil
}
