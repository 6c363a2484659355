package watch

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// prefix begins the names of all groups and instances of ours.
const prefix = "pamhelper_"

// instance is a ring buffer of the kernel of our own, and a group of probes with
// the same name.
//
// A living watch holds files of its instance open, so that the kernel refuses to
// remove it: that is how others know that it lives, in whatever namespace. A group
// is there only while its instance is.
type instance struct {
	tracefs
	name string
	cpus []*cpu
}

// newInstance makes one without probes, and removes what dead watches left, which it
// logs. What it makes is removed on an error.
func newInstance(t tracefs, log io.Writer) (*instance, error) {
	// Until its files are open another watch could take it for that of a dead one.
	lock, err := lockInstances(t)
	if err != nil {
		return nil, err
	}
	defer lock.Close()
	removed, err := removeDead(t)
	if removed > 0 {
		fmt.Fprintf(log, "watch: removed the probes of %d that had been killed\n", removed)
	}
	if err != nil {
		fmt.Fprintf(log, "watch: what was left by one that was killed could not be removed: %v\n", err)
	}
	var random [4]byte
	rand.Read(random[:])
	i := &instance{tracefs: t, name: fmt.Sprintf("%s%d_%s", prefix, os.Getpid(), hex.EncodeToString(random[:]))}
	if err := os.Mkdir(i.in(), 0o700); err != nil {
		return nil, fmt.Errorf("make a trace instance: %w", explained(err))
	}
	if err := i.prepare(); err != nil {
		lock.Close() // which removing takes
		return nil, errors.Join(err, i.remove())
	}
	return i, nil
}

// lockInstances waits for other watches that begin, in whatever namespace: there is
// one tracefs. Closing the file lets them go on.
func lockInstances(t tracefs) (*os.File, error) {
	dir, err := os.Open(t.path("instances"))
	if err != nil {
		return nil, explained(err)
	}
	for {
		err := unix.Flock(int(dir.Fd()), unix.LOCK_EX)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			dir.Close()
			return nil, fmt.Errorf("lock the trace instances: %w", err)
		}
		return dir, nil
	}
}

func (i *instance) in(elements ...string) string {
	return i.path(append([]string{"instances", i.name}, elements...)...)
}

// bufferKB is the room for events of each CPU, between two times of reading.
const bufferKB = "512"

func (i *instance) prepare() error {
	if err := i.openCPUs(); err != nil { // first: from here on it lives
		return err
	}
	if err := i.write(bufferKB, "instances", i.name, "buffer_size_kb"); err != nil {
		return fmt.Errorf("size the trace buffer: %w", err)
	}
	// The clock that can be read here too.
	if err := i.write("mono", "instances", i.name, "trace_clock"); err != nil {
		return fmt.Errorf("set the clock of the trace: %w", err)
	}
	return nil
}

func (i *instance) openCPUs() error {
	dirs, err := filepath.Glob(i.in("per_cpu", "cpu*"))
	if err != nil || len(dirs) == 0 {
		return fmt.Errorf("the trace instance %s has no CPUs", i.name)
	}
	for _, dir := range dirs {
		fd, err := unix.Open(filepath.Join(dir, "trace_pipe_raw"), unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
		if err != nil {
			return fmt.Errorf("open the trace: %w", err)
		}
		i.cpus = append(i.cpus, &cpu{fd: fd, dir: dir})
	}
	return nil
}

// enable turns an event of the machine on or off for this instance.
func (i *instance) enable(system, event string, on bool) error {
	value := "0"
	if on {
		value = "1"
	}
	return i.write(value, "instances", i.name, "events", system, event, "enable")
}

// remove removes the probes and the instance. It goes on after an error.
func (i *instance) remove() error {
	var errs []error
	if err := i.write("0", "instances", i.name, "events", i.name, "enable"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		errs = append(errs, err)
	}
	errs = append(errs, removeGroup(i.tracefs, i.name))
	return errors.Join(append(errs, i.close())...)
}

// close closes the files of the instance, which is dead for others then, and removes
// it before another one does.
func (i *instance) close() error {
	lock, err := lockInstances(i.tracefs)
	errs := []error{err}
	if err == nil {
		defer lock.Close()
	}
	for _, c := range i.cpus {
		errs = append(errs, unix.Close(c.fd))
	}
	return errors.Join(append(errs, os.Remove(i.in()))...)
}

// removeGroup removes all probes of a group that is not enabled. They are listed by
// the group's directory: uprobe_events is not read in one piece, so that of another
// watch that goes away meanwhile could hide some.
func removeGroup(t tracefs, group string) error {
	entries, err := os.ReadDir(t.path("events", group))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	errs := []error{err}
	for _, entry := range entries {
		if !entry.IsDir() {
			continue
		}
		event := group + "/" + entry.Name()
		if err := t.write("-:"+event, "uprobe_events"); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, fmt.Errorf("probe %s: %w", event, err))
		}
	}
	return errors.Join(errs...)
}

// removeDead removes what watches left that were killed, and says how many.
func removeDead(t tracefs) (removed int, err error) {
	groups, err := groups(t) // before the instances: a group whose instance is gone is dead
	if err != nil {
		return 0, err
	}
	instances, err := os.ReadDir(t.path("instances"))
	if err != nil {
		return 0, err
	}
	for _, entry := range instances {
		if !strings.HasPrefix(entry.Name(), prefix) {
			continue
		}
		if os.Remove(t.path("instances", entry.Name())) == nil { // busy: it lives
			removed++
		}
	}
	var errs []error
	for _, group := range groups {
		if _, err := os.Stat(t.path("instances", group)); errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, removeGroup(t, group))
		}
	}
	return removed, errors.Join(errs...)
}

// groups are those of our probes.
func groups(t tracefs) (names []string, err error) {
	entries, err := os.ReadDir(t.path("events"))
	if err != nil {
		return nil, err
	}
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), prefix) {
			names = append(names, entry.Name())
		}
	}
	return names, nil
}
