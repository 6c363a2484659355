package worker

import "regexp"

// loginID is what an agent may call a login: nothing that could be taken for
// another part of a line.
var loginID = regexp.MustCompile(`^[A-Za-z0-9._-]{0,64}$`)

// label puts the agent's name for the login into every further line of the log.
func (w *worker) label(id string) error {
	if !loginID.MatchString(id) {
		return refuse("a login id is at most 64 of A-Z, a-z, 0-9, \".\", \"_\" and \"-\"")
	}
	if id != "" {
		w.log.SetPrefix(w.log.Prefix() + "login=" + id + ": ")
	}
	return nil
}
