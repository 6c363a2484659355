// Who the agent is: on a socket that somebody connected to, whoever did; on one
// end of a socketpair the kernel names whoever made it, and then the starter says it.

package worker

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// knowAgent finds out which uid the agent has, and refuses one that the policy does
// not name.
func (w *worker) knowAgent(started *uint32) error {
	if started != nil {
		w.setAgent(*started)
		return nil
	}
	if os.Geteuid() != 0 {
		return nil // the agent is who this process is: it has nothing that is root's
	}
	peer, err := unix.GetsockoptUcred(w.crashFD, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return internal(fmt.Errorf("who the agent is cannot be found out: %w", err))
	}
	w.setAgent(peer.Uid)
	if peer.Uid == 0 || len(w.policy.GetAgent()) == 0 || w.isAgent(peer.Uid) {
		return nil
	}
	return refuse("uid %d, process %d, is no agent; the policy names: %s", peer.Uid, peer.Pid, listed(w.policy.GetAgent()))
}

// setAgent notes the uid that never logs in. Root is left to allow_root.
func (w *worker) setAgent(uid uint32) {
	if uid != 0 {
		w.agentUID = uid
	}
}

func (w *worker) isAgent(uid uint32) bool {
	for _, name := range w.policy.GetAgent() {
		a, err := w.directory.User(name)
		if err != nil {
			w.warnOnce(fmt.Sprintf("agent %q of the policy %s", name, unresolved(err)))
		} else if a.UID == uid {
			return true
		}
	}
	return false
}
