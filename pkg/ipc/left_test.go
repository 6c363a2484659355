package ipc_test

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"strings"
	"testing"
	"time"
)

// TestMain makes sure that no test leaves a goroutine or a descriptor behind, on
// whatever path. Finalizers would hide the latter: none runs, but where inputs are
// tried for long.
func TestMain(m *testing.M) {
	flag.Parse()
	if flag.Lookup("test.fuzz").Value.String() != "" {
		os.Exit(m.Run()) // that would take all memory
	}
	debug.SetGCPercent(-1)
	before := descriptors()
	status := m.Run()
	late := time.Now().Add(5 * time.Second)
	for runtime.NumGoroutine() > 1 || len(descriptors()) > len(before) {
		if time.Now().After(late) {
			fmt.Printf("left behind:\n%s\nthere was before:\n%s\n", strings.Join(descriptors(), "\n"), strings.Join(before, "\n"))
			pprof.Lookup("goroutine").WriteTo(os.Stdout, 1)
			os.Exit(1)
		}
		runtime.Gosched()
	}
	os.Exit(status)
}

// descriptors are those that this process has, but for files: package testing keeps
// one for an example.
func descriptors() (list []string) {
	entries, _ := os.ReadDir("/proc/self/fd")
	for _, entry := range entries {
		target, err := os.Readlink("/proc/self/fd/" + entry.Name())
		if err == nil && (target == os.DevNull || !strings.HasPrefix(target, "/")) {
			list = append(list, entry.Name()+" "+target)
		}
	}
	return list
}
