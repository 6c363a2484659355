// Package policy reads what the administrator lets agents ask for: the file
// /etc/pamhelper/policy.textproto, whose schema is proto/policy.proto.
//
// A file is taken as a whole or not at all: it has to belong to root with all its
// directories, to be text format with known fields only, and to make sense. What a
// policy means for a login is the worker's work, what a person wants to know of it
// that of package policytool.
package policy

import (
	"bytes"
	"os"

	"google.golang.org/protobuf/proto"

	"github.com/pamhelper/pamhelper/pkg/ipc/wire"
	pb "github.com/pamhelper/pamhelper/proto"
)

// Location is where the policy is looked for.
const Location = "/etc/pamhelper/policy.textproto"

// File is a policy with where it came from. Every field has its value, the default
// where the file has none; only Commands of a service stays nil where it is left
// out, for everything.
type File struct {
	Name   string // for messages
	Policy *pb.Policy
	// BuiltIn: there is no file at Location.
	BuiltIn bool
	places  func() places // only problems want them
}

// Load reads, checks and completes the policy at path, where "" is Location, and
// Builtin where nothing is there. An error names every problem that was found, one
// on a line.
func Load(path string) (*pb.Policy, error) {
	file, err := Open(path)
	if err != nil {
		return nil, err
	}
	return file.Policy, nil
}

// Open is Load for those who also want to know where the policy came from.
func Open(path string) (*File, error) {
	if path == "" {
		return openLocation(Location)
	}
	f, err := openOwned(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readFile(f, path)
}

// openLocation is apart from Open for tests.
func openLocation(location string) (*File, error) {
	f, err := openOwned(location)
	if isMissing(err) {
		return &File{Name: "built-in policy", Policy: Builtin(), BuiltIn: true}, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readFile(f, location)
}

// OpenDraft is Open for a file that is not in its place yet: who owns it and its
// directories, and who may write there, is not looked at.
func OpenDraft(path string) (*File, error) {
	f, err := openAny(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readFile(f, path)
}

// Read is Load from a descriptor that whoever started this process vouches for:
// who owns the file is not looked at. It may be what Encode returned, too, which has
// been checked. Several processes may read the same open file at once. Name is for
// messages.
func Read(f *os.File, name string) (*pb.Policy, error) {
	text, err := readAll(f, name)
	if err != nil {
		return nil, err
	}
	if message, encoded := bytes.CutPrefix(text, encodedMark); encoded {
		p := new(pb.Policy)
		return p, wire.DecodePolicy(message, p)
	}
	file, err := parse(text, name)
	if err != nil {
		return nil, err
	}
	return file.Policy, nil
}

// Parse is Load from text. Name is for messages.
func Parse(text []byte, name string) (*pb.Policy, error) {
	file, err := parse(text, name)
	if err != nil {
		return nil, err
	}
	return file.Policy, nil
}

// encodedMark begins what Encode returns: no text does.
var encodedMark = []byte("\x00encoded policy\n")

// Encode returns a policy that has been checked and completed in the form that costs
// the least to Read.
func Encode(p *pb.Policy) ([]byte, error) {
	return proto.MarshalOptions{}.MarshalAppend(bytes.Clone(encodedMark), p)
}

// Builtin is the policy without a file: logins through the service sshd, proved by
// PAM, with the defaults of everything.
func Builtin() *pb.Policy {
	p := &pb.Policy{Service: []*pb.Service{{Name: "sshd"}}}
	complete(p)
	return p
}

// ServiceOf returns what the policy says of a PAM service, nil where it is not
// served.
func ServiceOf(p *pb.Policy, name string) *pb.Service {
	for _, s := range p.GetService() {
		if s.GetName() == name {
			return s
		}
	}
	return nil
}
