package libpam

/*
#include "hooks.h"
#include <stdlib.h>
*/
import "C"

import "unsafe"

// crashFrame returns the frame that the signal handler writes, for the test
// that holds the C encoding to the schema.
func crashFrame(signal int, module string) []byte {
	name := C.CString(module)
	defer C.free(unsafe.Pointer(name))
	buf := make([]byte, 256)
	n := C.pamhelper_crash_frame((*C.uchar)(&buf[0]), C.uint(signal), name)
	return buf[:n]
}
