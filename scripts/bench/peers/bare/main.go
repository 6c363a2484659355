// Bare is peers/transaction.c in a program of Go that has nothing else: what Go's
// runtime costs where each login has a process of its own.
package main

/*
#cgo LDFLAGS: -lpam
#define main transactions
#include "../transaction.c"
#undef main
*/
import "C"

import (
	"os"
	"runtime"
)

// Whoever looks at the process looks at its first thread.
func init() { runtime.LockOSThread() }

func main() {
	arguments := make([]*C.char, len(os.Args))
	for i, argument := range os.Args {
		arguments[i] = C.CString(argument)
	}
	os.Exit(int(C.transactions(C.int(len(arguments)), &arguments[0])))
}
