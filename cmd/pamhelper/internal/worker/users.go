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

// looked is all that judging a user needs to know. It is looked up for everybody, of
// whom none of it matters too: the time that it takes would tell who exists.
type looked struct {
	userprocess.Passwd
	err                     error    // of that
	namesakes               []string // whom the policy denies, with the same uid
	groupsError             error    // of looking up the groups
	deniedGroup, allowGroup string   // the first of the policy's that he is in
}

func (r usersRule) lookUp(name string) (l looked) {
	if l.Passwd, l.err = r.User(name); l.err != nil {
		l.Passwd = userprocess.Passwd{Name: name, UID: noUID, GID: noUID}
	}
	for _, denied := range r.GetDeny() {
		other, err := r.User(denied)
		if err != nil {
			r.warn(fmt.Sprintf("user %q, whom the policy denies, %s", denied, unresolved(err)))
		} else if other.UID == l.UID {
			l.namesakes = append(l.namesakes, denied)
		}
	}
	if len(r.GetDenyGroup())+len(r.GetAllowGroup()) > 0 {
		var groups []uint32
		groups, l.groupsError = r.GroupsOf(l.Passwd)
		l.deniedGroup, l.allowGroup = r.oneOf(r.GetDenyGroup(), groups), r.oneOf(r.GetAllowGroup(), groups)
	}
	return l
}

// judge says why a user may not log in, and nothing where he may. The error is one
// of looking up the user himself.
func (r usersRule) judge(name string) (denial string, err error) {
	l := r.lookUp(name)
	switch {
	case slices.Contains(r.GetDeny(), name):
		return "denied by name", nil
	case name == "root" && !r.GetAllowRoot():
		return "root does not log in through this service", nil
	case l.err != nil:
		return "", l.err
	}
	if denial := r.judgeIDs(l.Passwd); denial != "" {
		return denial, nil
	}
	return r.judgeNames(name, l), nil
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

// judgeNames applies the names and the groups. Who is denied is so under another name
// as well.
func (r usersRule) judgeNames(name string, l looked) (denial string) {
	switch {
	case slices.Contains(r.GetDeny(), l.Name): // directories that take ALICE for alice
		return fmt.Sprintf("%q is denied by name", l.Name)
	case len(l.namesakes) > 0:
		return fmt.Sprintf("uid %d is that of %q, who is denied", l.UID, l.namesakes[0])
	case l.groupsError != nil:
		return l.groupsError.Error()
	case l.deniedGroup != "":
		return fmt.Sprintf("group %q is denied", l.deniedGroup)
	case !r.isListed() || slices.Contains(r.GetAllow(), name) || slices.Contains(r.GetAllow(), l.Name) || l.allowGroup != "":
		return ""
	}
	return "not one of those whom the policy allows"
}

// oneOf returns the first name of a group that is one of the ids.
func (r usersRule) oneOf(names []string, groups []uint32) (first string) {
	for _, name := range names {
		gid, err := r.Group(name)
		if err != nil {
			r.warn(fmt.Sprintf("group %q of the policy %s", name, unresolved(err)))
		} else if first == "" && slices.Contains(groups, gid) {
			first = name
		}
	}
	return first
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
