package realpam_test

import (
	"bufio"
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/rand"
	"crypto/sha256"
	numbers "encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

// rawClient is an SSH client that sends what it is told to, in any order: no
// library's would. It knows one set of algorithms, and trusts every host.
type rawClient struct {
	t       *testing.T
	node    *node
	conn    net.Conn
	reader  *bufio.Reader
	in, out *sealed // nil before the keys are exchanged
	session []byte
	banners strings.Builder
}

// Numbers of messages (RFC 4250, 4.1.2; RFC 4256).
const (
	msgDisconnect    = 1
	msgIgnore        = 2
	msgDebug         = 4
	msgService       = 5
	msgServiceOK     = 6
	msgExtInfo       = 7
	msgKexInit       = 20
	msgNewKeys       = 21
	msgECDHInit      = 30
	msgRequest       = 50
	msgFailure       = 51
	msgSuccess       = 52
	msgBanner        = 53
	msgAsked         = 60 // or that a key could be used
	msgAnswer        = 61
	msgGlobalRequest = 80
	msgOpen          = 90
)

// sealed is one direction of aes128-gcm@openssh.com (RFC 5647).
type sealed struct {
	aead  cipher.AEAD
	nonce []byte
}

func newSealed(key, nonce []byte) *sealed {
	block, err := aes.NewCipher(key[:16])
	if err != nil {
		panic(err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	return &sealed{aead, bytes.Clone(nonce[:12])}
}

// next is the nonce of one packet.
func (s *sealed) next() []byte {
	nonce := bytes.Clone(s.nonce)
	numbers.BigEndian.PutUint64(s.nonce[4:], numbers.BigEndian.Uint64(s.nonce[4:])+1)
	return nonce
}

// dial connects, and does no more.
func (n *node) dial(t *testing.T) *rawClient {
	t.Helper()
	conn, err := net.Dial("tcp", n.address())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(patience))
	return &rawClient{t: t, node: n, conn: conn, reader: bufio.NewReader(conn)}
}

// raw is a client that has exchanged keys and been let to log in.
func (n *node) raw(t *testing.T) *rawClient {
	t.Helper()
	r := n.dial(t)
	if err := r.exchange(); err != nil {
		t.Fatal(err)
	}
	r.send(ssh.Marshal(serviceMessage{Name: "ssh-userauth"}))
	if got := r.outcome(); got != "service" {
		t.Fatalf("got %s, want the service ssh-userauth", got)
	}
	return r
}

type serviceMessage struct {
	Name string `sshtype:"5"`
}

const rawVersion = "SSH-2.0-raw"

// greet exchanges versions and offers, which it returns.
func (r *rawClient) greet() (version string, ours, theirs []byte, err error) {
	if _, err = io.WriteString(r.conn, rawVersion+"\r\n"); err != nil {
		return "", nil, nil, err
	}
	if version, err = r.reader.ReadString('\n'); err != nil {
		return "", nil, nil, err
	}
	ours = offer()
	r.send(ours)
	theirs, err = r.read()
	return strings.TrimSpace(version), ours, theirs, err
}

// offer is a SSH_MSG_KEXINIT.
func offer() []byte {
	const gcm = "aes128-gcm@openssh.com"
	message := append([]byte{msgKexInit}, make([]byte, 16)...)
	for _, list := range []string{"curve25519-sha256", "ssh-ed25519", gcm, gcm, "hmac-sha2-256", "hmac-sha2-256", "none", "none", "", ""} {
		message = append(message, wireString(list)...)
	}
	return append(message, 0, 0, 0, 0, 0)
}

// exchange exchanges keys (RFC 4253, 7 and 8; RFC 8731).
func (r *rawClient) exchange() error {
	version, ours, theirs, err := r.greet()
	if err != nil {
		return err
	}
	secret, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	public := secret.PublicKey().Bytes()
	r.send(append([]byte{msgECDHInit}, wireString(string(public))...))
	packet, err := r.read()
	if err != nil {
		return err
	}
	var reply struct {
		HostKey, Public, Signature []byte `sshtype:"31"`
	}
	if err := ssh.Unmarshal(packet, &reply); err != nil {
		return err
	}
	peer, err := ecdh.X25519().NewPublicKey(reply.Public)
	if err != nil {
		return err
	}
	shared, err := secret.ECDH(peer)
	if err != nil {
		return err
	}
	number := ssh.Marshal(struct{ K *big.Int }{new(big.Int).SetBytes(shared)})
	hash := sha256.New()
	for _, part := range []string{rawVersion, version, string(ours), string(theirs), string(reply.HostKey), string(public), string(reply.Public)} {
		hash.Write(wireString(part))
	}
	hash.Write(number)
	r.session = hash.Sum(nil)
	r.send([]byte{msgNewKeys})
	if packet, err = r.read(); err != nil || packet[0] != msgNewKeys {
		return fmt.Errorf("got %v, %w; want SSH_MSG_NEWKEYS", packet, err)
	}
	derive := func(letter byte) []byte {
		sum := sha256.Sum256(bytes.Join([][]byte{number, r.session, {letter}, r.session}, nil))
		return sum[:]
	}
	r.out, r.in = newSealed(derive('C'), derive('A')), newSealed(derive('D'), derive('B'))
	return nil
}

func wireString(text string) []byte { return ssh.Marshal(struct{ Text string }{text}) }

// send sends a packet. The node may have closed the connection.
func (r *rawClient) send(payload []byte) { r.conn.Write(r.packet(payload)) }

// packet is one as it is on the wire.
func (r *rawClient) packet(payload []byte) []byte {
	size, bare := 16, 4 // without a cipher the length is part of the blocks
	if r.out != nil {
		bare = 0
	}
	padding := size - (bare+1+len(payload))%size
	if padding < 4 {
		padding += size
	}
	body := append([]byte{byte(padding)}, payload...)
	body = append(body, make([]byte, padding)...)
	packet := numbers.BigEndian.AppendUint32(nil, uint32(len(body)))
	if r.out == nil {
		return append(packet, body...)
	}
	return r.out.aead.Seal(packet, r.out.next(), body, packet)
}

// read returns the next packet.
func (r *rawClient) read() ([]byte, error) {
	length := make([]byte, 4)
	if _, err := io.ReadFull(r.reader, length); err != nil {
		return nil, err
	}
	size := int(numbers.BigEndian.Uint32(length))
	if r.in != nil {
		size += r.in.aead.Overhead()
	}
	if size > 1<<20 {
		return nil, fmt.Errorf("a packet of %d bytes", size)
	}
	body := make([]byte, size)
	if _, err := io.ReadFull(r.reader, body); err != nil {
		return nil, err
	}
	if r.in != nil {
		var err error
		if body, err = r.in.aead.Open(nil, r.in.next(), body, length); err != nil {
			return nil, err
		}
	}
	return body[1 : len(body)-int(body[0])], nil
}

// outcome is what the node says to a move, in a few words.
func (r *rawClient) outcome() string {
	for {
		packet, err := r.read()
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return "nothing in " + patience.String()
		case errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, io.ErrUnexpectedEOF):
			return "closed"
		case err != nil:
			return err.Error()
		}
		if said := r.said(packet); said != "" {
			return said
		}
	}
}

// said puts a packet into words; "" for one that answers nothing.
func (r *rawClient) said(packet []byte) string {
	switch packet[0] {
	case msgIgnore, msgDebug, msgExtInfo:
		return ""
	case msgBanner:
		r.banners.WriteString(texts(packet[1:], 1)[0])
		return ""
	case msgDisconnect:
		return "disconnect: " + texts(packet[5:], 1)[0]
	case msgServiceOK:
		return "service"
	case msgFailure:
		var failed struct {
			Methods string `sshtype:"51"`
			Partial bool
		}
		if err := ssh.Unmarshal(packet, &failed); err != nil {
			return err.Error()
		}
		if failed.Partial {
			return "partial: " + failed.Methods
		}
		return "failure: " + failed.Methods
	case msgSuccess:
		return "success"
	case msgAsked:
		var asked struct {
			Name, Instruction, Language string `sshtype:"60"`
			Prompts                     uint32
			Rest                        []byte `ssh:"rest"`
		}
		if err := ssh.Unmarshal(packet, &asked); err != nil {
			return "key"
		}
		if asked.Prompts == 0 {
			return "told: " + asked.Instruction
		}
		return "asked: " + texts(asked.Rest, 1)[0]
	}
	return fmt.Sprintf("message %d", packet[0])
}

// texts are strings at the beginning of a message.
func texts(message []byte, count int) (found []string) {
	for range count {
		var text struct {
			Text string
			Rest []byte `ssh:"rest"`
		}
		if err := ssh.Unmarshal(message, &text); err != nil {
			return append(found, make([]string, count-len(found))...)
		}
		found, message = append(found, text.Text), text.Rest
	}
	return found
}
