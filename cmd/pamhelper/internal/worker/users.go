// Who may log in: the users of the policy's service.
//
// A user who may not log in must not learn that: where PAM proves who somebody is,
// authentication runs for everybody, and the reason stands in the log alone.

package worker

import (
	"errors"
	"fmt"
	"slices"

	"github.com/pamhelper/pamhelper/cmd/pamhelper/internal/userprocess"
	pb "github.com/pamhelper/pamhelper/proto"
)

// noUID is the uid of nobody (chown(2): -1 is no id).
const noUID = 1<<32 - 1

// usersRule is a service's users, with what it takes to apply them.
type usersRule struct {
	*pb.Users
	directory
	agent uint32            // uid of the agent, who never logs in; noUID: root, or not known
	warn  func(text string) // of what cannot be resolved
}

// judge says why a user may not log in, and nothing where he may. The error is one
// of looking up the user himself.
func (r usersRule) judge(name string) (denial string, err error) {
	a, err := r.User(name) // also where it does not matter: the time would tell
	if slices.Contains(r.GetDeny(), name) {
		return "denied by name", nil
	}
	if name == "root" && !r.GetAllowRoot() {
		return "root does not log in through this service", nil
	}
	if err != nil {
		return "", err
	}
	if denial := r.judgeIDs(a); denial != "" {
		return denial, nil
	}
	if denial := r.judgeAlias(a); denial != "" {
		return denial, nil
	}
	return r.judgeGroups(name, a), nil
}

func (r usersRule) judgeIDs(a userprocess.Passwd) (denial string) {
	switch {
	case a.UID == r.agent:
		return fmt.Sprintf("uid %d is the agent's own", a.UID)
	case a.IsRoot() && !r.GetAllowRoot():
		return "root, by another name or by the primary group, does not log in through this service"
	case a.UID != 0 && a.UID < r.GetMinimumUid():
		return fmt.Sprintf("uid %d is smaller than %d", a.UID, r.GetMinimumUid())
	}
	return ""
}

// judgeAlias finds those who are denied under another name.
func (r usersRule) judgeAlias(a userprocess.Passwd) (denial string) {
	for _, name := range r.GetDeny() {
		other, err := r.User(name)
		if err != nil {
			r.warn(fmt.Sprintf("user %q, whom the policy denies, %s", name, unresolved(err)))
		} else if other.UID == a.UID {
			return fmt.Sprintf("uid %d is that of %q, who is denied", a.UID, name)
		}
	}
	return ""
}

// judgeGroups applies the groups, and the names that are allowed.
func (r usersRule) judgeGroups(name string, a userprocess.Passwd) (denial string) {
	var groups []uint32
	if len(r.GetDenyGroup())+len(r.GetAllowGroup()) > 0 {
		var err error
		if groups, err = r.GroupsOf(a); err != nil {
			return err.Error()
		}
	}
	if group := r.oneOf(r.GetDenyGroup(), groups); group != "" {
		return fmt.Sprintf("group %q is denied", group)
	}
	if !r.isListed() || slices.Contains(r.GetAllow(), name) || slices.Contains(r.GetAllow(), a.Name) {
		return ""
	}
	if r.oneOf(r.GetAllowGroup(), groups) != "" {
		return ""
	}
	return "not one of those whom the policy allows"
}

// oneOf returns the first name of a group that is one of the ids.
func (r usersRule) oneOf(names []string, groups []uint32) string {
	for _, name := range names {
		gid, err := r.Group(name)
		if err != nil {
			r.warn(fmt.Sprintf("group %q of the policy %s", name, unresolved(err)))
		} else if slices.Contains(groups, gid) {
			return name
		}
	}
	return ""
}

// isListed reports whether only those log in who are named.
func (r usersRule) isListed() bool { return len(r.GetAllow())+len(r.GetAllowGroup()) > 0 }

// judgeUnknown is judge for a user who does not exist, of a service whose stack may
// make him.
func (r usersRule) judgeUnknown(name string) (denial string) {
	if r.isListed() && !slices.Contains(r.GetAllow(), name) {
		return "unknown, and not one of those whom the policy allows"
	}
	return ""
}

func unresolved(err error) string {
	if errors.Is(err, userprocess.ErrUnknown) {
		return "does not exist"
	}
	return "cannot be looked up: " + err.Error()
}

func (w *worker) usersRule() usersRule {
	return usersRule{Users: w.served.GetUsers(), directory: w.directory, agent: w.agentUID, warn: w.warnOnce}
}

// warnOnce logs what the policy names and the machine does not know, once in a
// login: it is looked at several times.
func (w *worker) warnOnce(text string) {
	if !w.warned[text] {
		w.warned[text] = true
		w.log.Printf("%s: %s", w.name(), text)
	}
}

// judgeName holds a name to the rule before the account step. Whom the stack may
// still make there is judged behind it.
func (w *worker) judgeName(name string) (denial string) {
	rule := w.usersRule()
	denial, err := rule.judge(name)
	switch {
	case errors.Is(err, userprocess.ErrUnknown) && w.makesUsers():
		return rule.judgeUnknown(name)
	case errors.Is(err, userprocess.ErrUnknown):
		return "unknown user"
	case err != nil:
		w.warnOnce(err.Error())
		if rule.isListed() {
			return "cannot be looked up, and so is none of those whom the policy allows"
		}
		return "" // PAM may know better; it is asked again behind account
	}
	return denial
}

// makesUsers reports whether the service's account step may run for a user who does
// not exist yet.
func (w *worker) makesUsers() bool {
	return w.served.GetProof() == pb.Service_AGENT || w.served.GetAccountFirst()
}

// judgeAccount holds the account that the login is for by now to the rule.
func (w *worker) judgeAccount() (denial string) {
	denial, err := w.usersRule().judge(w.user)
	if errors.Is(err, userprocess.ErrUnknown) {
		return "unknown user, also behind the account step"
	}
	if err != nil {
		return err.Error()
	}
	return denial
}
