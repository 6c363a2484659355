// Package confine lets a serving agent give up, before it reads its first byte
// from the network, everything that serving does not need: whoever takes the
// agent over later has a process that can talk to the clients and the helper it
// already talks to, read the directories it was told of, and nothing else.
//
// The policy, in order:
//
//   - core dumps off, and nobody of the agent's own uid may trace it or read its
//     memory (which also keeps debuggers and profilers of that uid away, and
//     the agent from most of its own files in /proc);
//   - no capabilities, no new privileges;
//   - Landlock: files are read below Config.ReadDirs, and nowhere else; no file
//     is written, made, removed or executed; no TCP connection is made, no port
//     bound; no abstract unix socket of others is reached, nobody else signalled;
//   - seccomp: a list of the system calls that a Go network server makes (calls.go).
//
// What is open stays open: sockets to listen on, the broker's socket and log
// files are opened before. Sockets to listen on have to be without Multipath TCP
// (which is net.Listen's default: see net.ListenConfig.SetMultipathTCP), because
// Landlock does not see that an accepted one is connected elsewhere. What a file is
// like, but for its contents, stays to be seen: neither Landlock nor seccomp look at
// that. A kernel that lacks a protection is no error: what is missing is reported,
// and logged.
//
// It is not a sandbox for other programs: a confined agent starts none. The user's
// processes are children of a worker, and have nothing of this.
package confine

import (
	"fmt"
	"log/slog"
	"time"
)

// Config says what the agent still needs once it is confined. The zero value is
// an agent that opens no file.
type Config struct {
	// ReadDirs are the directories below which files are read later:
	// configuration, host keys, authorized keys. A file has no place here: a rule
	// on a file dies when the file is replaced. DirsOf finds the directories of
	// files. Each has to exist.
	ReadDirs []string
	// SocketDirs are the directories that hold the unix sockets connected to later
	// (a helper at unix:PATH). Each has to exist. Where there are none, no socket is
	// made and none connected, whatever Landlock the kernel has.
	SocketDirs []string
	// Log receives what the kernel lacks, and one line of summary. Nil: nothing is
	// logged.
	Log *slog.Logger
}

// Confine confines the whole process, all its threads, for good. An error is a
// protection that the kernel has and that could not be set up; the process is
// then confined in part, and has to end. What the kernel does not have is in the
// report and in the log.
//
// The program has to be built without cgo, or it is refused: threads that C made
// would not be reached.
func Confine(c Config) (report Report, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("confine: %w", err)
		}
	}()
	rules, err := rulesOf(c)
	if err != nil {
		return Report{}, err
	}
	_ = time.Now().Local().String() // reads the machine's time zone while that can be read

	if err := dropCoreDumps(); err != nil {
		return Report{}, err
	}
	if report.BoundingSetKept, err = dropCapabilities(); err != nil {
		return Report{}, err
	}
	if err := forbidNewPrivileges(); err != nil {
		return Report{}, err
	}
	kernel, connects := landlockOfKernel(), len(c.SocketDirs) > 0
	if err := restrictFiles(rules); err != nil {
		return Report{}, err
	}
	report.LandlockABI = kernel.abi
	// Last: it forbids the calls that the others are made of.
	seccomp, err := restrictCalls(connects)
	if err != nil {
		return Report{}, err
	}
	report.Seccomp = seccomp.loaded
	report.Lacks = append(kernel.lacks(seccomp.loaded, connects), seccomp.lacks()...)
	report.log(c)
	return report, nil
}
