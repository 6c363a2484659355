package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// DefaultFile is where the configuration is where --config does not say.
const DefaultFile = "/etc/pamhelper/agent.yaml"

// maxFile is the largest configuration, in bytes.
const maxFile = 64 << 10

// Load reads a configuration. The error is of type Problems where the file can be
// read and is none, with all that is wrong in it.
func Load(file string) (*Config, error) {
	data, err := read(file)
	if errors.Is(err, fs.ErrPermission) {
		err = fmt.Errorf("%w; the agent's user has to be able to read it, it holds no secret: chmod a+r, and a+x for the directories above", err)
	}
	if err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	return Parse(file, data)
}

// read takes a regular file only: another one could have no end, or wait for one
// who writes.
func read(file string) ([]byte, error) {
	f, err := os.OpenFile(file, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	switch {
	case info.IsDir():
		return nil, fmt.Errorf("%s is a directory; name the file in it", file)
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is no regular file", file)
	}
	return io.ReadAll(io.LimitReader(f, maxFile+1))
}

// Parse reads a configuration from data, which is that of file. The error is of
// type Problems.
func Parse(file string, data []byte) (*Config, error) {
	d := &document{file: file, data: data}
	c := d.config()
	if len(d.problems) > 0 {
		return nil, d.problems.sorted()
	}
	c.File = file
	return c, nil
}

// Ready says why an SSH service with this configuration would be of no use, or
// nil. Load takes such a configuration: what is there is right.
func (c *Config) Ready() error {
	switch {
	case !c.SSH.Enabled:
		return errors.New("ssh_service.enabled is no: there is nothing to run")
	case len(c.SSH.TrustedUserCAKeys) == 0 && c.SSH.AuthorizedKeys == "" && c.SSH.PasswordServiceName == "":
		return errors.New("nobody could log in: name in ssh_service a file of trusted_user_ca_keys for certificates, " +
			"authorized_keys for public keys, or a password_service_name for passwords")
	}
	return nil
}
