package libpam

/*
#include "hooks.h"
#include <stdlib.h>
*/
import "C"

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"unsafe"

	"github.com/pamhelper/pamhelper/pkg/pamstack"
)

// Layout says where the loaded libpam keeps names in a pam_handle_t.
type Layout struct {
	// Service and User are the offsets, in bytes, of the pointers to the service
	// and to the user. The user's is null until it is known.
	Service, User int
}

// FindLayout makes a transaction of its own, in which no module is loaded, and
// looks for its names. It is for a process that makes no other transaction.
func FindLayout() (Layout, error) {
	dir, err := os.MkdirTemp("", "pamhelper")
	if err != nil {
		return Layout{}, err
	}
	defer os.RemoveAll(dir)
	const service = "layout"
	// The minus keeps libpam quiet about the module that is not there.
	line := "-auth required " + dir + "/none.so\n"
	if err := os.WriteFile(filepath.Join(dir, service), []byte(line), 0o600); err != nil {
		return Layout{}, err
	}
	return layoutOf(service, dir)
}

func layoutOf(service, confdir string) (Layout, error) {
	cService, cDir := C.CString(service), C.CString(confdir)
	defer C.free(unsafe.Pointer(cService))
	defer C.free(unsafe.Pointer(cDir))
	var serviceAt, userAt C.long
	if status := Status(C.pamhelper_layout(cService, cDir, &serviceAt, &userAt)); status != Success {
		return Layout{}, fmt.Errorf("start a transaction to look into: %s", status.Text())
	}
	if serviceAt < 0 || userAt < 0 {
		return Layout{}, errors.New("this libpam does not keep its names where they can be found")
	}
	return Layout{Service: int(serviceAt), User: int(userAt)}, nil
}

// Build returns what is known of the loaded libpam.
func Build() (pamstack.Libpam, error) { return library() }
