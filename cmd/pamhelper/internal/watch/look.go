package watch

import (
	"errors"
	"fmt"
	"slices"
)

// look probes modules that are new, and probes those anew that have changed.
// What is missed meanwhile is told, but for the first time.
func (w *watcher) look(again bool) {
	files := moduleFiles(w.library.ModuleDir)
	var found []*module
	for _, path := range files {
		stamp, err := stampOf(path)
		old := w.modules[path]
		if err != nil || old != nil && old.stamp == stamp || w.skipped[path] == stamp {
			continue
		}
		if old != nil && old.stamp.sameFile(stamp) {
			found = append(found, w.writtenOver(old)...)
		}
		if m := w.read(path, stamp); m != nil {
			found = append(found, m)
		}
	}
	w.probeAll(found)
	if !again {
		return
	}
	for _, m := range found {
		fmt.Fprintf(w.log, "watch: %s is new or was replaced: it is watched from now on, and calls of a moment ago were not seen\n", m.path)
	}
	for path, old := range w.modules {
		if !slices.Contains(files, path) && !old.gone {
			old.gone = true
			fmt.Fprintf(w.log, "watch: %s is gone; processes that have loaded it are still watched\n", path)
		}
	}
}

func (w *watcher) read(path string, stamp stamp) *module {
	m, err := readModule(path, w.library)
	if err == nil {
		return m
	}
	w.skipped[path] = stamp
	if !errors.Is(err, errNoModule) {
		fmt.Fprintf(w.log, "watch: not watched: %v\n", err)
	}
	return nil
}

// writtenOver removes the probes of a file that has other content now, since they
// are where other code is. The modules of its batch that are to be probed again are
// returned.
func (w *watcher) writtenOver(m *module) (others []*module) {
	delete(w.modules, m.path)
	at := slices.IndexFunc(w.batches, func(b *batch) bool { return slices.Contains(b.modules, m) })
	if at < 0 {
		return nil // another one of the batch was written over too
	}
	b := w.batches[at]
	if err := w.unprobe(b); err != nil {
		fmt.Fprintf(w.log, "watch: %s was written over, and its probes cannot be removed: %v\n", m.path, err)
		return nil
	}
	w.batches = slices.Delete(w.batches, at, at+1)
	for _, other := range b.modules {
		if stamp, err := stampOf(other.path); err == nil && stamp == other.stamp {
			others = append(others, other)
		}
	}
	return others
}

// probeAll probes modules together, or each for itself where that fails: then the
// others are watched.
func (w *watcher) probeAll(modules []*module) {
	if len(modules) == 0 {
		return
	}
	w.number++
	b, probes, err := w.probe(modules, w.number, len(w.probes), w.arguments)
	switch {
	case err == nil:
		w.probes = append(w.probes, probes...)
		w.batches = append(w.batches, b)
		w.events[b.entryFormat.id] = event{b.entryFormat, w.entered}
		w.events[b.backFormat.id] = event{b.backFormat, w.left}
		for _, m := range modules {
			w.modules[m.path] = m
		}
	case len(modules) == 1:
		w.skipped[modules[0].path] = modules[0].stamp
		fmt.Fprintf(w.log, "watch: not watched: %v\n", err)
	default:
		for _, m := range modules {
			w.probeAll([]*module{m})
		}
	}
}
