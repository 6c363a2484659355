package unread

import (
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// zeros is a network and a channel that always have something.
type zeros struct{ net.Conn }

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

// one is a channel that has a byte at a time.
type one struct{}

func (one) Read(p []byte) (int, error) { return copy(p, "x"), nil }

const most = 1 << 20

// scene is a limit that counts how often it was over.
type scene struct {
	*Limit
	network net.Conn
	buf     [most + 2*window]byte
	over    int
}

func newScene() *scene {
	s := &scene{}
	s.Limit = New(most, func() { s.over++ })
	s.network = s.Stream(zeros{})
	return s
}

func (s *scene) comes(n int) {
	s.network.Read(s.buf[:n])
	s.Wait()
}

func (s *scene) expect(t *testing.T, over int) {
	t.Helper()
	if s.over != over {
		t.Errorf("over the limit %d times, want %d", s.over, over)
	}
}

// waiting is a channel whose process has read all there is: its reader waits.
func (s *scene) waiting(t *testing.T) {
	reader, writer := io.Pipe()
	t.Cleanup(func() { writer.Close() })
	input := s.Input(reader)
	go input.Read(make([]byte, 10))
	synctest.Wait()
	time.Sleep(settled)
}

func TestWhatNobodyReadsIsLimitedBeyondTheWindows(t *testing.T) {
	t.Parallel()
	s := newScene()
	s.Input(zeros{})
	s.Input(zeros{})
	s.comes(most + 2*window)
	s.expect(t, 0)
	s.comes(1)
	s.expect(t, 1)
	for range 10 {
		s.comes(most) // and it is told once
	}
	s.expect(t, 1)
}

func TestAChannelThatIsClosedIsForgotten(t *testing.T) {
	t.Parallel()
	s := newScene()
	for range 10 {
		input := s.Input(zeros{})
		s.comes(window)
		input.Close()
	}
	s.comes(window)
	s.expect(t, 0)
}

// TestALargeTransferIsNotUnread beside a channel that is idle, and one whose process
// never reads what is there.
func TestALargeTransferIsNotUnread(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScene()
		s.waiting(t)
		s.Input(zeros{})
		s.comes(1)
		busy := s.Input(zeros{})
		piece := make([]byte, 32<<10)
		for range 10 << 30 / len(piece) {
			s.comes(len(piece) + 60)
			busy.Read(piece)
		}
		s.expect(t, 0)
	})
}

// TestManySmallPacketsThatAreReadAreNotUnread: typing, all day.
func TestManySmallPacketsThatAreReadAreNotUnread(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScene()
		s.waiting(t)
		typed := s.Input(one{})
		for range 10 * most / 36 {
			s.comes(36)
			typed.Read(make([]byte, 10))
		}
		s.expect(t, 0)
	})
}

// behind is a channel whose end has come, and sometimes more behind it.
type behind struct{ more int }

func (b *behind) Read(p []byte) (int, error) {
	n := min(len(p), b.more)
	b.more -= n
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

// TestACommandWithoutInputMayRunForLong: its input has ended, and what comes beside
// it, such as the client's acknowledgements, is read.
func TestACommandWithoutInputMayRunForLong(t *testing.T) {
	t.Parallel()
	s := newScene()
	s.Input(new(behind)).Read(make([]byte, 10))
	for range 10 * most / 1000 {
		s.comes(1000)
	}
	s.expect(t, 0)
}

func TestWhatComesBehindTheEndIsDropped(t *testing.T) {
	t.Parallel()
	s := newScene()
	channel := new(behind)
	s.Input(channel).Read(make([]byte, 10))
	channel.more = window
	s.comes(most + window + 1)
	s.expect(t, 0)
	if channel.more != 0 {
		t.Errorf("%d bytes are held, want none", channel.more)
	}
}

// TestALookThatHangsDoesNotHelp who sends on.
func TestALookThatHangsDoesNotHelp(t *testing.T) {
	t.Parallel()
	over := make(chan struct{})
	l := New(most, func() { close(over) })
	reader, writer := io.Pipe()
	input := l.Input(reader)
	input.ended = true // and reading it waits all the same
	network := l.Stream(zeros{})
	network.Read(make([]byte, most+window+1))
	network.Read(make([]byte, most+1))
	<-over
	writer.Close()
	l.Wait()
}

// TestWhoReadsSlowlyHidesNothing: a reader that comes back at once had something to
// read.
func TestWhoReadsSlowlyHidesNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScene()
		slow := s.Input(zeros{})
		for range 2 * (most + window) / 1000 {
			s.comes(1000)
			slow.Read(make([]byte, 1))
			time.Sleep(settled) // the process, and not the reader, waits
		}
		s.expect(t, 1)
	})
}
