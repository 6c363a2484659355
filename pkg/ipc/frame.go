package ipc

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"google.golang.org/protobuf/proto"

	"github.com/pamhelper/pamhelper/pkg/ipc/wire"
	pb "github.com/pamhelper/pamhelper/proto"
)

// MaxFrame is the longest frame body either side accepts, in bytes.
const MaxFrame = 1 << 20

// MaxControlFrame is the same for the frames between an agent and its broker.
const MaxControlFrame = 4096

const headerLen = 4

// Errors of ReadFrame and AppendFrame. After an error of ReadFrame the stream has
// no known position and must be closed.
var (
	ErrEmptyFrame    = errors.New("frame of length 0")
	ErrFrameTooLarge = errors.New("frame longer than it may be")
)

// ReadFrame reads one frame and returns its body. The length is checked before
// anything is allocated. At the end of the stream between two frames the error
// is io.EOF, inside one it is io.ErrUnexpectedEOF. The caller owns the body and
// wipes it if it may hold a secret.
func ReadFrame(r io.Reader) ([]byte, error) { return readFrame(r, MaxFrame) }

func readFrame(r io.Reader, most int) ([]byte, error) {
	var header [headerLen]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		return nil, err
	}
	size := binary.BigEndian.Uint32(header[:])
	if err := mayHave(uint64(size), most); err != nil {
		return nil, err
	}
	body := make([]byte, size)
	if _, err := io.ReadFull(r, body); err != nil {
		clear(body)
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	return body, nil
}

// AppendFrame appends the frame of m to buf. It grows buf at most once, before
// anything is written; a caller with a secret in the old buffer wipes that.
func AppendFrame(buf []byte, m proto.Message) ([]byte, error) {
	return appendFrame(buf, m, MaxFrame)
}

func appendFrame(buf []byte, m proto.Message, most int) ([]byte, error) {
	if event, ok := m.(*pb.Event); ok {
		return appendEvent(buf, event, most)
	}
	size := proto.Size(m)
	if err := mayHave(uint64(size), most); err != nil {
		return buf, err
	}
	if free := cap(buf) - len(buf); free < headerLen+size {
		buf = append(make([]byte, 0, len(buf)+headerLen+size), buf...)
	}
	buf = binary.BigEndian.AppendUint32(buf, uint32(size))
	return proto.MarshalOptions{UseCachedSize: true}.MarshalAppend(buf, m)
}

// appendEvent is what a worker writes. It is encoded by hand.
func appendEvent(buf []byte, e *pb.Event, most int) ([]byte, error) {
	frame, err := wire.EncodeEvent(headerLen, e)
	if err != nil {
		return buf, err
	}
	size := len(frame) - headerLen
	if err := mayHave(uint64(size), most); err != nil {
		clear(frame)
		return buf, err
	}
	binary.BigEndian.PutUint32(frame, uint32(size))
	if len(buf) == 0 {
		return frame, nil
	}
	defer clear(frame)
	return append(buf[:len(buf):len(buf)], frame...), nil
}

// mayHave holds the size of a frame's body to its bounds.
func mayHave(size uint64, most int) error {
	if size == 0 {
		return ErrEmptyFrame
	}
	if size > uint64(most) {
		return fmt.Errorf("%w: %d bytes", ErrFrameTooLarge, size)
	}
	return nil
}
