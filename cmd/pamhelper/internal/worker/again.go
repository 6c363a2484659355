// What a spare has loaded, whether that is still what is on disk, and how it begins
// anew where it is not.

package worker

/*
#include <stdlib.h>
#include "constructor.h"
#include "objects.h"
*/
import "C"

import (
	"fmt"
	"os"
	"slices"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/pamhelper/pamhelper/pkg/ipc"
)

// The names of the process, by which a person tells a spare.
const (
	nameWorker = C.PAMHELPER_NAME
	nameSpare  = C.PAMHELPER_NAME_SPARE
)

// setName names the process. It is called on its main thread.
func setName(name string) {
	text := append([]byte(name), 0)
	unix.Prctl(unix.PR_SET_NAME, uintptr(unsafe.Pointer(&text[0])), 0, 0, 0)
}

// noteLoaded notes the files of all libraries that are loaded now.
func noteLoaded() { C.pamhelper_objects_note() }

// replaced returns the file of one of them that is not what it was, or "". Where it
// was replaced right before or while it was loaded, that counts as well.
func replaced() (path string) { return C.GoString(C.pamhelper_objects_replaced()) }

// orderMatters reports whether a login can get another library for what is loaded now
// than it would get without: modules of other services count among that.
func orderMatters() bool { return C.pamhelper_objects_searching() != nil }

// again executes this program as if it had just been started with socket, and without
// some of its flags. It returns only where that fails.
func again(socket int, without ...string) error {
	if _, err := C.pamhelper_as_started(C.int(socket)); err != nil {
		return fmt.Errorf("start again: %w", err)
	}
	argv := slices.DeleteFunc(slices.Clone(os.Args), func(argument string) bool { return slices.Contains(without, argument) })
	return fmt.Errorf("start again: %w", syscall.Exec("/proc/self/exe", argv, ipc.WorkerEnvironment()))
}
