package libpam

/*
#include "hooks.h"
#include <stdlib.h>
*/
import "C"

import "unsafe"

// crashFrame returns the frame that the signal handler writes, for the test
// that holds the C encoding to the schema.
func crashFrame(signal int, module, file string, line int) []byte {
	name := C.CString(module)
	defer C.free(unsafe.Pointer(name))
	place := C.CString(file)
	defer C.free(unsafe.Pointer(place))
	buf := make([]byte, C.PAMHELPER_CRASH_MAX)
	n := C.pamhelper_crash_frame((*C.uchar)(&buf[0]), C.uint(signal), name, place, C.uint(line))
	return buf[:n]
}
