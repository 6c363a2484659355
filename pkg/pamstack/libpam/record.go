package libpam

/*
#include "hooks.h"
*/
import "C"

import (
	"bytes"
	"time"
	"unsafe"

	"github.com/pamhelper/pamhelper/pkg/pamstack"
)

// realCall is a call of a module's function, as the hooks saw it.
type realCall struct {
	slot   int
	prelim bool
	code   pamstack.Code
	time   time.Duration
	notes  []Note
}

// record is what the hooks saw in one call of libpam.
type record struct {
	calls     []realCall
	notes     []Note // of libpam itself
	callsLost int
	notesLost int
}

// prelimCheck is PAM_PRELIM_CHECK (Linux-PAM, security/pam_modules.h).
const prelimCheck = 0x4000

// takeRecord copies what the hooks have, without the secrets.
func takeRecord(secrets [][]byte) (r record) {
	trace := C.pamhelper_trace_get()
	r.callsLost, r.notesLost = int(trace.calls_lost), int(trace.notes_lost)
	for _, c := range trace.call[:trace.calls] {
		r.calls = append(r.calls, realCall{
			slot: int(c.slot), prelim: c.flags&prelimCheck != 0, code: pamstack.Code(c.status), time: time.Duration(c.ns),
		})
	}
	text := unsafe.Slice((*byte)(unsafe.Pointer(&trace.bytes[0])), int(trace.used))
	for _, n := range trace.note[:trace.notes] {
		note := Note{
			Kind: NoteKind(n.kind), Number: int(n.number), Omitted: int(n.omitted),
			Text: hidden(text[n.text:n.text+n.length], n.omitted > 0, secrets),
		}
		if n.call < 0 {
			r.notes = append(r.notes, note)
			continue
		}
		call := &r.calls[n.call]
		call.notes = append(call.notes, note)
	}
	return r
}

// minSecret is the shortest answer that is looked for, in bytes: blotting out
// every e would tell what the answer was.
const minSecret = 4

const stars = "****"

// hidden returns a text with stars in the place of answers. One that was cut off
// may end within an answer. The text is overwritten: no copy of an answer is made.
func hidden(text []byte, cut bool, secrets [][]byte) string {
	for _, secret := range secrets {
		if len(secret) < minSecret {
			continue
		}
		text = blot(text, secret)
		for n := min(len(secret)-1, len(text)); cut && n >= minSecret; n-- {
			if bytes.HasSuffix(text, secret[:n]) {
				text = blot(text, secret[:n])
				break
			}
		}
	}
	return string(text)
}

// blot replaces a secret in a text, which can only become shorter.
func blot(text, secret []byte) []byte {
	for from := 0; ; {
		at := bytes.Index(text[from:], secret)
		if at < 0 {
			return text
		}
		from += at
		rest := text[from+len(secret):]
		from += copy(text[from:], stars)
		text = text[:from+copy(text[from:], rest)]
	}
}

// lookups returns what libpam looked for in modules when it last read its files,
// the slot of each, and how much more there was that the hooks have no room for.
func lookups() (list []pamstack.Lookup, slots []int, lost int) {
	var from, without C.uint
	end := int(C.pamhelper_bindings(&from, &without))
	for slot := int(from); slot < end; slot++ {
		b := C.pamhelper_binding(C.uint(slot))
		call, known := callNamed(C.GoString(&b.function[0]))
		if b.foreign != 0 || !known {
			continue
		}
		list = append(list, pamstack.Lookup{File: C.GoString(b.path), Call: call, Found: b.found != 0})
		slots = append(slots, slot)
	}
	return list, slots, int(without)
}

func callNamed(function string) (call pamstack.Call, known bool) {
	for call := pamstack.Authenticate; call <= pamstack.CloseSession; call++ {
		if call.Function() == function {
			return call, true
		}
	}
	return 0, false
}

// place tells the hooks which line a function belongs to, for the frame of a
// crash.
func place(slot int, line *pamstack.Line) {
	b := C.pamhelper_binding(C.uint(slot))
	n := copy(unsafe.Slice((*byte)(unsafe.Pointer(&b.file[0])), len(b.file)-1), line.File)
	b.file[n] = 0
	b.line = C.uint(line.Number)
}

// moduleOf returns the file name of the module of a slot.
func moduleOf(slot int) string { return C.GoString(&C.pamhelper_binding(C.uint(slot)).module[0]) }
