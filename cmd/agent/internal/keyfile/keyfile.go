// Package keyfile reads files of SSH keys, and says of each what is wrong with it.
// A line that is no key is never passed over: it may be the one that was meant.
package keyfile

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/crypto/ssh"
)

// maxFile is the largest file that is read, in bytes.
const maxFile = 1 << 20

// minRSA is the shortest RSA key that is taken, in bits.
const minRSA = 2048

// HostKey reads a private key without a passphrase. Nobody but the owner may be
// able to change it, and nobody but the owner and the group to read it.
func HostKey(file string) (ssh.Signer, error) {
	text, info, err := read(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w; make it: ssh-keygen -t ed25519 -N '' -f %s", err, file)
	}
	if errors.Is(err, fs.ErrPermission) {
		return nil, fmt.Errorf("%w; let the agent's own group read it: chgrp GROUP %s; chmod 0640 %s", err, file, file)
	}
	if err != nil {
		return nil, err
	}
	defer clear(text)
	if _, _, _, _, err := ssh.ParseAuthorizedKey(text); err == nil {
		return nil, fmt.Errorf("%s is a public key; name the file of the private one, mostly the same without .pub", file)
	}
	if extra := info.Mode().Perm() & 0o037; extra != 0 {
		return nil, fmt.Errorf("%s has the mode %04o: a private key is for its owner; chmod 0600, or 0640 for a group of the agent alone",
			file, info.Mode().Perm())
	}
	key, err := ssh.ParsePrivateKey(text)
	var locked *ssh.PassphraseMissingError
	switch {
	case errors.As(err, &locked):
		return nil, fmt.Errorf("%s has a passphrase, and nobody is there to type it; remove it: ssh-keygen -p -N '' -f %s", file, file)
	case err != nil:
		return nil, fmt.Errorf("%s is no private key: %w", file, err)
	}
	if err := strong(key.PublicKey()); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return key, nil
}

// PublicKeys reads public keys, a line each as in authorized_keys: those of
// authorities. There is at least one, and each line that is neither empty nor a
// comment is one. The one option that a line can have is cert-authority, which is
// what all are.
func PublicKeys(file string) ([]ssh.PublicKey, error) {
	text, info, err := readPublic(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w; write the public keys of the authorities into it, a line each", err)
	}
	if err != nil {
		return nil, err
	}
	if err := unchangeable(file, info); err != nil {
		return nil, err
	}
	keys, err := parse(file, text, "cert-authority")
	if err == nil && len(keys) == 0 {
		err = fmt.Errorf("%s has no public key in it; write those of the authorities, a line each", file)
	}
	return keys, err
}

// AuthorizedKeys reads the keys of a user: there may be none in the file. No line
// has options.
func AuthorizedKeys(file string) ([]ssh.PublicKey, error) {
	text, info, err := readPublic(file)
	if err != nil {
		return nil, err
	}
	if err := unchangeable(file, info); err != nil {
		return nil, err
	}
	return parse(file, text)
}

// readPublic reads a file that everybody may read.
func readPublic(file string) ([]byte, fs.FileInfo, error) {
	text, info, err := read(file)
	if errors.Is(err, fs.ErrPermission) {
		err = fmt.Errorf("%w; the agent's user has to be able to read it: chmod a+r, and a+x for the directories above", err)
	}
	return text, info, err
}

// unchangeable says that others can put their own keys into the file.
func unchangeable(file string, info fs.FileInfo) error {
	if info.Mode().Perm()&0o022 == 0 {
		return nil
	}
	return fmt.Errorf("%s has the mode %04o: who can write it can log in; chmod go-w", file, info.Mode().Perm())
}

// parse reads a key from each line. What options say is not done here, and most of
// them say what a key is not for: a line with others than meant is refused, since
// without them its key would open more than who wrote it wanted.
func parse(file string, text []byte, meant ...string) (keys []ssh.PublicKey, err error) {
	for i, line := range bytes.Split(text, []byte("\n")) {
		line = bytes.TrimSpace(line)
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		if bytes.HasSuffix(line, []byte("PRIVATE KEY-----")) {
			return nil, fmt.Errorf("%s:%d: a private key; write the line of its .pub here, and keep the private one off this machine", file, i+1)
		}
		key, _, options, _, err := ssh.ParseAuthorizedKey(line)
		if err != nil {
			return nil, fmt.Errorf("%s:%d: no public key; a line is a type such as ssh-ed25519, and the key in base64", file, i+1)
		}
		if _, certificate := key.(*ssh.Certificate); certificate {
			return nil, fmt.Errorf("%s:%d: a certificate, where a plain public key is to be", file, i+1)
		}
		for _, option := range options {
			if !slices.Contains(meant, option) {
				return nil, fmt.Errorf("%s:%d: the option %s, which is not followed here; a line is the key alone", file, i+1, shown(option))
			}
		}
		if err := strong(key); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", file, i+1, err)
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// shown is an option for a message, without its value: that can be long.
func shown(option string) string {
	name, _, _ := strings.Cut(option, "=")
	return strconv.Quote(name)
}

// strong refuses keys that can be broken.
func strong(key ssh.PublicKey) error {
	if key.Type() == "ssh-dss" {
		return errors.New("a DSA key, which is too weak; make another: ssh-keygen -t ed25519")
	}
	var inner crypto.PublicKey
	if with, ok := key.(ssh.CryptoPublicKey); ok {
		inner = with.CryptoPublicKey()
	}
	if r, ok := inner.(*rsa.PublicKey); ok && r.N.BitLen() < minRSA {
		return fmt.Errorf("an RSA key of %d bits, which is too weak; make another: ssh-keygen -t ed25519", r.N.BitLen())
	}
	return nil
}

// read takes a regular file of a size that such a file has.
func read(file string) ([]byte, fs.FileInfo, error) {
	f, err := os.OpenFile(file, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxFile {
		return nil, nil, fmt.Errorf("%s is no regular file of at most %d bytes", file, maxFile)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxFile))
	return text, info, err
}
