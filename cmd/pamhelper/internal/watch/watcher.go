package watch

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/pamhelper/pamhelper/pkg/pamstack"
	"github.com/pamhelper/pamhelper/pkg/pamstack/libpam"
)

// watcher turns what the kernel writes into calls of modules.
type watcher struct {
	*instance
	library   pamstack.Libpam
	arguments string // of entry probes
	log       io.Writer

	modules map[string]*module // the newest of each path
	batches []*batch
	number  int              // of batches made so far
	probes  []probe          // by their number
	skipped map[string]stamp // files that are not watched
	events  map[uint16]event // by the number that records have
	reader  reader
	threads *threads
	calls   calls
}

// event is what there is to do with a kind of record.
type event struct {
	format
	handle func(format, record, int)
}

// newWatcher attaches to all modules. The caller removes it.
func newWatcher(pid int, log io.Writer) (*watcher, error) {
	library, err := libpam.Build()
	if err != nil {
		return nil, err
	}
	layout, err := libpam.FindLayout()
	if err != nil {
		return nil, err
	}
	arguments, err := entryArguments(layout)
	if err != nil {
		return nil, err
	}
	tracefs, err := openTracefs()
	if err != nil {
		return nil, err
	}
	instance, err := newInstance(tracefs, log)
	if err != nil {
		return nil, err
	}
	w := &watcher{
		instance: instance, library: library, arguments: arguments, log: log,
		modules: map[string]*module{}, skipped: map[string]stamp{}, events: map[uint16]event{},
		threads: newThreads(pid), calls: calls{open: map[int][]*call{}},
		reader: reader{cpus: instance.cpus, page: make([]byte, os.Getpagesize())},
	}
	if err := w.attach(); err != nil {
		return nil, errors.Join(err, w.remove())
	}
	return w, nil
}

func (w *watcher) attach() error {
	for _, e := range []struct {
		system, name string
		handle       func(format, record, int)
	}{{"task", "task_newtask", w.made}, {"sched", "sched_process_exit", w.ended}} {
		if err := w.watch(e.system, e.name, e.handle); err != nil {
			return fmt.Errorf("watch the event %s of the kernel: %w", e.name, explained(err))
		}
	}
	w.look(false)
	if len(w.modules) == 0 {
		return fmt.Errorf("no module in %s could be probed", w.library.ModuleDir)
	}
	return nil
}

func (w *watcher) watch(system, name string, handle func(format, record, int)) error {
	format, err := w.format(system, name)
	if err != nil {
		return err
	}
	w.events[format.id] = event{format, handle}
	return w.enable(system, name, true)
}

// round returns the calls that have ended. With last the trace is read to its end,
// and calls that still run are among them.
func (w *watcher) round(last bool) ([]*call, error) {
	read := w.reader.next
	if last {
		read = w.reader.rest
	}
	records, err := read()
	if err != nil {
		return nil, err
	}
	for _, r := range records {
		if len(r.data) < 8 {
			continue
		}
		if e, ok := w.events[order.Uint16(r.data)]; ok {
			e.handle(e.format, r, int(e.number(r, "common_pid")))
		}
	}
	if lost := w.reader.newlyLost(); lost > 0 {
		fmt.Fprintf(w.log, "watch: %d events were lost, because more happened than could be read: calls are missing or have no entry\n", lost)
	}
	done := w.calls.take()
	if last {
		done = append(done, w.calls.rest(time.Duration(now()))...)
	}
	return slices.DeleteFunc(done, func(c *call) bool { return !c.wanted }), nil
}

func (w *watcher) made(f format, r record, thread int) {
	w.threads.made(thread, int(f.number(r, "pid")), f.number(r, "clone_flags"))
}

func (w *watcher) ended(_ format, _ record, thread int) {
	w.calls.unwind(thread, 0)
	w.threads.ended(thread)
}

func (w *watcher) entered(f format, r record, thread int) {
	c := w.callOf(f, r, thread)
	c.flags, c.handle = int(int32(f.number(r, "flags"))), f.number(r, "handle")
	c.program, c.service, c.user = f.text(r, "program"), f.text(r, "service"), f.text(r, "user")
	w.calls.entered(thread, c)
}

func (w *watcher) left(f format, r record, thread int) {
	c := w.callOf(f, r, thread)
	c.code = pamstack.Code(int32(f.number(r, "code")))
	w.calls.left(thread, c)
}

// callOf makes what entries and returns have in common. Whether it is wanted is
// settled now: its process may have ended by the end of the round.
func (w *watcher) callOf(f format, r record, thread int) *call {
	process := w.threads.of(thread)
	return &call{began: time.Duration(r.time), process: process, wanted: w.threads.wanted(process), probe: w.probes[f.number(r, "probe")]}
}
