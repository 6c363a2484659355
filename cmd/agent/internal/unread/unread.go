// Package unread bounds what the client of one connection can make the agent hold:
// bytes that have come and that no process has read yet.
//
// x/crypto/ssh holds them, up to 2 MiB for each channel, each packet apart: a packet
// with one byte takes 48 bytes of memory, and a channel full of those 93 MiB. It
// neither limits that nor says how much it is. So it is estimated from outside: what
// came over the network, where a packet with one byte has about as many bytes as in
// memory, less what was read out of channels. What a channel's bytes cost beside
// themselves adds up over time. It is forgotten whenever each channel has been seen
// empty since.
package unread

import (
	"net"
	"sync"
	"time"
)

// Most is how much may be unread beyond what the windows of the channels let a client
// send, in bytes on the network.
const Most = 64 << 20

// window is how much x/crypto/ssh lets a client send into one channel ahead of its
// reader.
const window = 2 << 20

// settled is when a reader that waits certainly waits for the client: where there is
// something to read, it gets that at once.
const settled = 100 * time.Millisecond

// perByte is which part of what was read is taken off beside it, for the packets that
// it came in: those of a transfer have 32 KiB.
const perByte = 64

// Limit is that of one connection.
type Limit struct {
	most int64
	over func()

	mu       sync.Mutex
	ahead    int64 // bytes that came, less those that were read
	forgiven int64 // what ahead was when nothing that is unread was there yet
	inputs   map[*Input]bool
	looking  bool
	lookedAt int64 // what ahead was when looking began
	told     bool
	looks    sync.WaitGroup
}

// New makes a limit. most is Most outside of tests. over is called once, where there
// is more.
func New(most int64, over func()) *Limit {
	return &Limit{most: most, over: over, inputs: map[*Input]bool{}}
}

// Wait waits until the limit does nothing any more, behind the end of its connection.
func (l *Limit) Wait() { l.looks.Wait() }

// Stream returns a connection that counts what comes over it.
func (l *Limit) Stream(conn net.Conn) net.Conn { return &stream{conn, l} }

type stream struct {
	net.Conn
	limit *Limit
}

func (s *stream) Read(p []byte) (int, error) {
	n, err := s.Conn.Read(p)
	if s.limit.came(int64(n)) {
		s.limit.over()
	}
	return n, err
}

// came notes what has come. Where too much could be unread, it has that looked at
// beside the connection, which looking can need. It says whether too much has come
// meanwhile.
func (l *Limit) came(n int64) (tooMuch bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ahead += n
	switch {
	case l.told:
	case l.looking:
		l.told = l.ahead-l.lookedAt > l.most
		return l.told
	case l.exceeds():
		l.looking, l.lookedAt = true, l.ahead
		l.looks.Go(l.look)
	}
	return false
}

// exceeds says whether more than is allowed could be unread.
func (l *Limit) exceeds() bool {
	return l.ahead-l.forgiven > l.most+window*int64(len(l.inputs))
}

func (l *Limit) look() {
	for _, input := range l.ended() {
		input.dropRest()
	}
	if l.isOver() {
		l.over()
	}
}

// ended are the inputs that nobody reads any more: the client has sent their end.
func (l *Limit) ended() (inputs []*Input) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for input := range l.inputs {
		if input.ended {
			inputs = append(inputs, input)
		}
	}
	return inputs
}

// isOver forgives what came before each channel was last seen empty: that has been
// read.
func (l *Limit) isOver() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.looking = false
	l.forgiven = l.ahead
	for input := range l.inputs {
		if !input.waits.IsZero() && time.Since(input.waits) >= settled {
			input.empty = l.ahead
		}
		l.forgiven = min(l.forgiven, input.empty)
	}
	if l.told || !l.exceeds() {
		return false
	}
	l.told = true
	return true
}
