package watch

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"runtime"
	"slices"

	"github.com/pamhelper/pamhelper/pkg/pamstack/libpam"
)

// registers are those of the first two arguments of a function: the handle and the
// flags. An architecture that is not there has not been tried.
var registers = map[string][2]string{"amd64": {"%di", "%si"}}

// entryArguments are what the kernel notes when a function is called: the two names
// by the pointers in the handle.
func entryArguments(layout libpam.Layout) (string, error) {
	r, ok := registers[runtime.GOARCH]
	if !ok {
		return "", fmt.Errorf("watch is not there for %s", runtime.GOARCH)
	}
	return fmt.Sprintf("handle=%[1]s:x64 flags=%[2]s:s32 program=$comm:string service=+0(+%[3]d(%[1]s)):string user=+0(+%[4]d(%[1]s)):string",
		r[0], r[1], layout.Service, layout.User), nil
}

// probe is one probed place: the functions of a module that are there.
type probe struct {
	*module
	functions functions
}

// batch is a number of modules with their two events in the kernel: one for all
// entries and one for all returns. The kernel takes a while to remove an event, but
// hardly longer for one with many probes.
type batch struct {
	modules     []*module
	entry, back string // names of the events
	entryFormat format
	backFormat  format
}

// probe puts the probes on modules and turns them on. The number of the first probe
// is given; it comes back with each event. Nothing stays on an error.
func (i *instance) probe(modules []*module, number, first int, arguments string) (*batch, []probe, error) {
	b := &batch{modules: modules, entry: fmt.Sprintf("entry%d", number), back: fmt.Sprintf("return%d", number)}
	probes, err := i.addProbes(b, first, arguments)
	if err == nil {
		err = i.turnOn(b)
	}
	if err != nil {
		return nil, nil, errors.Join(explained(err), i.unprobe(b))
	}
	return b, probes, nil
}

func (i *instance) addProbes(b *batch, first int, arguments string) (probes []probe, err error) {
	for _, m := range b.modules {
		for _, offset := range slices.Sorted(maps.Keys(m.functions)) {
			where := fmt.Sprintf("%s:0x%x probe=\\%d:u32", m.path, offset, first+len(probes))
			if err := i.write(fmt.Sprintf("r:%s/%s %s code=$retval:s32", i.name, b.back, where), "uprobe_events"); err != nil {
				return nil, fmt.Errorf("%s: %w", m.path, err)
			}
			if err := i.write(fmt.Sprintf("p:%s/%s %s %s", i.name, b.entry, where, arguments), "uprobe_events"); err != nil {
				return nil, fmt.Errorf("%s: %w", m.path, err)
			}
			probes = append(probes, probe{m, m.functions[offset]})
		}
	}
	return probes, nil
}

func (i *instance) turnOn(b *batch) (err error) {
	if b.entryFormat, err = i.format(i.name, b.entry); err != nil {
		return err
	}
	if b.backFormat, err = i.format(i.name, b.back); err != nil {
		return err
	}
	// The returns first: of a call whose entry was seen nothing is to be missing.
	if err := i.enable(i.name, b.back, true); err != nil {
		return err
	}
	return i.enable(i.name, b.entry, true)
}

// unprobe removes the probes of a batch.
func (i *instance) unprobe(b *batch) error {
	var errs []error
	for _, event := range []string{b.entry, b.back} {
		err := i.enable(i.name, event, false)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		errs = append(errs, err, i.write("-:"+i.name+"/"+event, "uprobe_events"))
	}
	return errors.Join(errs...)
}
