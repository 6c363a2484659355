package node

import (
	"bytes"
	"crypto/rand"
	"io"
	"net"
	"testing"

	"golang.org/x/sys/unix"
)

// overTCP is a connection that the node has accepted, and its client.
func overTCP(t *testing.T) (accepted net.Conn, client *net.TCPConn) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	dialed, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dialed.Close() })
	accepted, err = listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { accepted.Close() })
	return accepted, dialed.(*net.TCPConn)
}

func TestWhatComesInBulkIsReadAsItWasSent(t *testing.T) {
	t.Parallel()
	accepted, client := overTCP(t)
	server := inBulk(promptly(accepted))
	sent := make([]byte, 1<<20+77)
	rand.Read(sent)
	go func() {
		client.Write(sent)
		client.Close()
	}()
	var got []byte
	for sizes := []int{libraryBuffer, 32<<10 - 100, 1, libraryBuffer, libraryBuffer, 5, 100 << 10}; ; sizes = append(sizes[1:], sizes[0]) {
		buf := make([]byte, sizes[0])
		n, err := server.Read(buf)
		got = append(got, buf[:n]...)
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatalf("behind %d bytes: %v", len(got), err)
		}
	}
	if !bytes.Equal(got, sent) {
		t.Errorf("got %d bytes, want the %d that were sent", len(got), len(sent))
	}
	if b := server.(*bulk); b.buffer != nil {
		t.Error("the buffer is kept behind the end")
	}
}

func TestWhatGoesInBulkIsSentAsItWasWritten(t *testing.T) {
	t.Parallel()
	accepted, client := overTCP(t)
	server := inBulk(promptly(accepted))
	written := make([]byte, 1<<20+77)
	rand.Read(written)
	go func() {
		defer server.Close()
		for rest, sizes := written, []int{libraryBuffer, 28 << 10, 7, libraryBuffer, 100 << 10}; len(rest) > 0; sizes = append(sizes[1:], sizes[0]) {
			n, err := server.Write(rest[:min(len(rest), sizes[0])])
			if err != nil {
				t.Errorf("%d bytes are left: %v", len(rest), err)
				return
			}
			rest = rest[n:]
		}
	}()
	if got, err := io.ReadAll(client); err != nil || !bytes.Equal(got, written) {
		t.Errorf("got %d bytes, %v; want the %d that were written", len(got), err, len(written))
	}
}

// TestTheFirstPieceOfALargePacketWaitsForTheRest and what only has its size does not.
func TestTheFirstPieceOfALargePacketWaitsForTheRest(t *testing.T) {
	t.Parallel()
	accepted, _ := overTCP(t)
	server := inBulk(promptly(accepted))
	for i, c := range []struct{ size, unsent int }{{libraryBuffer, 0}, {28 << 10, 0}, {libraryBuffer, libraryBuffer}, {28 << 10, 0}, {100, 0}, {libraryBuffer, 0}} {
		if _, err := server.Write(make([]byte, c.size)); err != nil {
			t.Fatal(err)
		}
		if got := unsent(t, server.(*bulk).TCPConn); got != c.unsent {
			t.Errorf("write %d, of %d bytes: %d bytes are not sent, want %d", i, c.size, got, c.unsent)
		}
	}
}

// unsent is how many bytes are held back by the kernel (linux/sockios.h, SIOCOUTQNSD).
func unsent(t *testing.T, c *net.TCPConn) (bytes int) {
	t.Helper()
	const notSent = 0x894b
	raw, err := c.SyscallConn()
	if err == nil {
		err = raw.Control(func(fd uintptr) { bytes, err = unix.IoctlGetInt(int(fd), notSent) })
	}
	if err != nil {
		t.Fatal(err)
	}
	return bytes
}
