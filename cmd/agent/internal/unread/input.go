package unread

import (
	"io"
	"time"
)

// Input is what a client sends into one channel.
type Input struct {
	from  io.Reader
	limit *Limit
	// Guarded by the limit's lock.
	empty int64     // what was ahead when the channel was last seen empty
	waits time.Time // since when the reader does; zero: it does not
	ended bool
}

// Input returns what is to be read in place of a channel.
func (l *Limit) Input(channel io.Reader) *Input {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := &Input{from: channel, limit: l, empty: l.ahead}
	l.inputs[i] = true
	return i
}

// Read reads from the channel, which fills p unless it has no more at the moment.
func (i *Input) Read(p []byte) (int, error) {
	i.begin()
	n, err := i.from.Read(p)
	i.end(n, n < len(p), err != nil)
	return n, err
}

func (i *Input) begin() {
	i.limit.mu.Lock()
	defer i.limit.mu.Unlock()
	i.waits = time.Now()
}

func (i *Input) end(n int, empty, ended bool) {
	l := i.limit
	l.mu.Lock()
	defer l.mu.Unlock()
	i.waits, i.ended = time.Time{}, ended
	l.ahead = max(0, l.ahead-int64(n+n/perByte))
	if empty {
		i.empty = l.ahead
	}
}

// dropRest reads what a client has sent behind the end, which is held like all else.
func (i *Input) dropRest() {
	for buf := make([]byte, 4<<10); ; {
		if _, err := i.Read(buf); err != nil {
			return
		}
	}
}

// Close says that the channel is no more, with all that was in it.
func (i *Input) Close() {
	i.limit.mu.Lock()
	defer i.limit.mu.Unlock()
	delete(i.limit.inputs, i)
}
