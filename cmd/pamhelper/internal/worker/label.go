package worker

import "github.com/pamhelper/pamhelper/pkg/ipc/names"

// label puts the agent's name for the login into every further line of the log. It
// is nothing that could be taken for another part of a line.
func (w *worker) label(id string) error {
	if !names.IsWord(id, "._-") || len(id) > 64 {
		return refuse("a login id is at most 64 of A-Z, a-z, 0-9, \".\", \"_\" and \"-\"")
	}
	if id != "" {
		w.log.SetPrefix(w.log.Prefix() + "login=" + id + ": ")
	}
	return nil
}
