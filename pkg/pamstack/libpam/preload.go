package libpam

/*
#include "hooks.h"
#include <stdlib.h>
*/
import "C"

import (
	"path"
	"slices"
	"unsafe"

	"github.com/pamhelper/pamhelper/pkg/pamstack"
)

// Preload loads the modules of services for a transaction to come, from where
// pam_start will look for them, which then finds them loaded: in the order of the
// services' files, those of the service other behind each. What a module does when it
// is loaded it does now, and not again. One that cannot be loaded is left out:
// pam_start will say so. It comes behind Guard and SetLimits, on the PAM thread.
func Preload(services []string) {
	library, err := library()
	if err != nil {
		return
	}
	var modules []string
	for _, service := range services {
		stack, _ := pamstack.Load(service, pamstack.Config{Libpam: library, Unresolved: true})
		if stack == nil || stack.File == "" {
			continue
		}
		for _, h := range stack.Handlers() {
			if h.Kind == pamstack.KindModule && !slices.Contains(modules, h.Path) {
				modules = append(modules, h.Path)
			}
		}
	}
	C.pamhelper_guard_enter()
	defer C.pamhelper_guard_leave(1)
	for _, module := range modules {
		loadFirst(library.Candidates(module))
	}
}

// loadFirst loads the first of a module's places that can be.
func loadFirst(files []string) {
	for _, file := range files {
		if load(file) {
			return
		}
	}
}

// load loads one module, and reports whether that was possible. A path that is not
// absolute would depend on more than the file.
func load(file string) bool {
	if !path.IsAbs(file) {
		return false
	}
	name := C.CString(file)
	defer C.free(unsafe.Pointer(name))
	return C.pamhelper_load(name) != 0
}
