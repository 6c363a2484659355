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

// again executes this program as a worker that has just been started for the login
// on socket. It returns only where that fails.
func again(socket int) error {
	if _, err := C.pamhelper_as_started(C.int(socket)); err != nil {
		return fmt.Errorf("start again: %w", err)
	}
	argv := slices.DeleteFunc(slices.Clone(os.Args), func(argument string) bool { return argument == "--spare" || argument == "--preload" })
	return fmt.Errorf("start again: %w", syscall.Exec("/proc/self/exe", argv, nil))
}
