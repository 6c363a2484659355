package worker

import (
	"fmt"
	"os"
	"time"

	"github.com/pamhelper/pamhelper/pkg/ipc"
	"github.com/pamhelper/pamhelper/pkg/pamstack/libpam"
	pb "github.com/pamhelper/pamhelper/proto"
)

// hang ends the process: a module did not return, and nothing can make it. Killing
// what the module waits for may let it return: the login must not go on then, as
// if its session had been closed.
func (w *worker) hang() {
	libpam.Halt()
	module := libpam.Module()
	file, line := libpam.Place()
	text := "the helper did not finish closing before its deadline"
	if module != "" {
		text = fmt.Sprintf("module %s%s does not return; the helper has ended without it", module, ipc.At(file, line))
	}
	f := &fault{kind: pb.Fault_HANG, text: text, module: module, file: file, line: line}
	w.log.Printf("%s: %s", w.name(), text)
	w.sending.Lock()
	w.hung = true
	w.conn.SetWriteDeadline(time.Now().Add(time.Second))
	w.conn.Write(f.event())
	w.sending.Unlock()
	killDescendants(w.log)
	w.letGo()
	os.Exit(ExitBroken)
}

// letGo gives up the record and the slots, for a process that may not come to its
// end: closing a descriptor that the agent sent can hang (package ipc, Release).
func (w *worker) letGo() {
	if held := w.held.Load(); held != nil {
		held.Close()
	}
	w.uncount()
}
