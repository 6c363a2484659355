package watch

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// cpu is the part of the ring buffer that one CPU writes.
type cpu struct {
	fd  int
	dir string
}

// read returns all records that are there.
func (c *cpu) read(page []byte) (records []record, err error) {
	for {
		n, err := unix.Read(c.fd, page)
		if errors.Is(err, unix.EAGAIN) || err == nil && n == 0 {
			return records, nil
		}
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return records, fmt.Errorf("read the trace: %w", err)
		}
		more, err := recordsOf(slices.Clone(page[:n]))
		if err != nil {
			return records, err
		}
		records = append(records, more...)
	}
}

// lost returns how many records have not been kept since the beginning.
func (c *cpu) lost() (count int) {
	text, err := os.ReadFile(filepath.Join(c.dir, "stats"))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		switch name {
		case "overrun", "commit overrun", "dropped events":
			n, _ := strconv.Atoi(strings.TrimSpace(value))
			count += n
		}
	}
	return count
}

// reader puts the records of all CPUs in order.
type reader struct {
	cpus []*cpu
	page []byte
	held []record // of the last round: an older one can still come
	then uint64   // when that began
	lost int
}

// next returns what happened until the round before this one began: what was being
// written then has been written since.
func (r *reader) next() (records []record, err error) {
	began := now()
	for _, c := range r.cpus {
		more, err := c.read(r.page)
		if err != nil {
			return nil, err
		}
		r.held = append(r.held, more...)
	}
	records = r.until(r.then)
	r.then = began
	return records, nil
}

// rest returns all that is left.
func (r *reader) rest() (records []record, err error) {
	if records, err = r.next(); err != nil {
		return nil, err
	}
	return append(records, r.until(^uint64(0))...), nil
}

func (r *reader) until(time uint64) (records []record) {
	slices.SortStableFunc(r.held, func(a, b record) int {
		if a.time < b.time {
			return -1
		}
		return int(min(a.time-b.time, 1))
	})
	n, _ := slices.BinarySearchFunc(r.held, time, func(a record, time uint64) int {
		if a.time < time {
			return -1
		}
		return 1
	})
	records, r.held = r.held[:n], slices.Clone(r.held[n:])
	return records
}

// newlyLost returns how many records more are known to be lost.
func (r *reader) newlyLost() int {
	count := 0
	for _, c := range r.cpus {
		count += c.lost()
	}
	newly := count - r.lost
	r.lost = count
	return newly
}

// now is the clock of the records.
func now() uint64 {
	var t unix.Timespec
	unix.ClockGettime(unix.CLOCK_MONOTONIC, &t)
	return uint64(t.Nano())
}
