package wire

import (
	"slices"

	pb "github.com/pamhelper/pamhelper/proto"
)

// EncodeRecord encodes a Record. The bytes may hold a secret, as the record does.
func EncodeRecord(r *pb.Record) []byte {
	w := newWriter(room)
	w.number(15, uint64(r.GetFailures()))
	for _, p := range slices.Backward(r.GetProcesses()) {
		w.message(14, func() { w.recordedProcess(p) })
	}
	w.number(13, uint64(r.GetUid()))
	w.truth(12, r.GetSession())
	w.truth(11, r.GetCredentials())
	w.variables(10, r.GetEnvironment())
	w.bytes(9, r.GetRuser())
	w.text(8, r.GetRhost())
	w.text(7, r.GetTty())
	w.bytes(6, r.GetUser())
	w.text(5, r.GetService())
	w.number(4, uint64(r.GetSince()))
	w.number(3, uint64(r.GetWorker()))
	w.number(2, r.GetPidNamespace())
	w.text(1, r.GetBootId())
	return w.done()
}

func (w *writer) recordedProcess(p *pb.RecordedProcess) {
	w.truth(5, p.GetLoginRecord())
	w.number(4, uint64(p.GetTerminalChangedNs()))
	w.text(3, p.GetTerminal())
	w.number(2, p.GetStartTime())
	w.number(1, uint64(p.GetPid()))
}
