package output_test

import (
	"bytes"
	"errors"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/pamhelper/pamhelper/cmd/agent/internal/output"
)

// pipe is both ends of a pipe.
type pipe struct{ r, w *os.File }

func closeAll(files ...*os.File) {
	for _, file := range files {
		file.Close()
	}
}

func newPipe(t *testing.T) (p pipe) {
	t.Helper()
	var err error
	if p.r, p.w, err = os.Pipe(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeAll(p.r, p.w) })
	return p
}

// full makes a write to the pipe wait, and returns what is in it.
func full(t *testing.T, p pipe) []byte {
	t.Helper()
	filling := bytes.Repeat([]byte("."), 64<<10) // pipe(7)
	if n, err := p.w.Write(filling); err != nil {
		t.Fatalf("filled with %d bytes: %v", n, err)
	}
	return filling
}

// TestAllThatAProcessWroteIsPassedOn also where its output is read late and a
// child of it keeps the pipe open.
func TestAllThatAProcessWroteIsPassedOn(t *testing.T) {
	t.Parallel()
	from, to := newPipe(t), newPipe(t)
	before := full(t, to)
	wrote := bytes.Repeat([]byte("line\n"), 12000)
	if _, err := from.w.Write(wrote); err != nil {
		t.Fatal(err)
	}
	o := output.Pass(from.r, to.w, func() int { return output.InPipe(from.r) })
	o.Finish()
	got := make([]byte, len(before)+len(wrote))
	to.r.SetReadDeadline(time.Now().Add(20 * time.Second))
	for n := 0; n < len(got); {
		more, err := to.r.Read(got[n:])
		if err != nil {
			t.Fatalf("got %d bytes, want %d: %v", n, len(got), err)
		}
		n += more
	}
	if !bytes.Equal(got[len(before):], wrote) {
		t.Error("got other bytes than were written")
	}
	<-o.Passed
	if o.Err() != nil {
		t.Errorf("got %v, want no error", o.Err())
	}
}

// TestAWriterInTheBackgroundIsNotWaitedFor: nothing ends it, and it writes all
// the time.
func TestAWriterInTheBackgroundIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	from := newPipe(t)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			if _, err := from.w.Write(make([]byte, 512)); err != nil {
				return
			}
		}
	}()
	o := output.Pass(from.r, null, func() int { return output.InPipe(from.r) })
	o.Finish()
	<-o.Passed
	closeAll(from.r, from.w)
	<-ended
}

// Not at once with tests that start programs: a fork has the pipe for a moment.
func TestAProcessLearnsThatItsOutputCannotBeWritten(t *testing.T) {
	from, to := newPipe(t), newPipe(t)
	to.r.Close()
	o := output.Pass(from.r, to.w, func() int { return output.InPipe(from.r) })
	if _, err := from.w.WriteString("lost"); err != nil {
		t.Fatal(err)
	}
	<-o.Passed
	if !errors.Is(o.Err(), syscall.EPIPE) {
		t.Errorf("the agent: got %v, want %v", o.Err(), syscall.EPIPE)
	}
	if _, err := from.w.WriteString("more"); !errors.Is(err, syscall.EPIPE) {
		t.Errorf("the process: got %v, want %v", err, syscall.EPIPE)
	}
}
