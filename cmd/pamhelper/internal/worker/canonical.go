package worker

import (
	"fmt"
	"os"
	"slices"

	"github.com/pamhelper/pamhelper/pkg/ipc/names"
	"github.com/pamhelper/pamhelper/pkg/pamstack/libpam"
)

// loginVariable holds the bound user. Scripts that root runs read it: it is never
// the agent's.
const loginVariable = "TELEPORT_LOGIN"

// takeOver binds the name that a module gave the user, where the policy lets it. It
// says why that name may not log in.
func (w *worker) takeOver() (denial string) {
	name := w.tx.User()
	if name == w.user || !w.served.GetAllowCanonicalUser() {
		return "" // the step's end compares
	}
	if !names.IsUser(name) || len(name) > maxUser {
		return "a module changed the user to " + quoted([]byte(name)) + ", which is no user name"
	}
	if denial := w.judgeName(name); denial != "" {
		return fmt.Sprintf("a module changed the user to %q: %s", name, denial)
	}
	w.log.Printf("%s: a module changed the user to %q", w.name(), name)
	w.user, w.config.User = name, name
	w.entitle()
	if status := w.tx.PutEnv(loginVariable, name); status != libpam.Success {
		return loginVariable + " cannot be set: " + status.Text()
	}
	w.export([]libpam.Variable{{Name: loginVariable, Value: name}})
	return ""
}

// export puts variables where modules read them with getenv(3), those that the
// policy names. This process's environment is empty otherwise.
func (w *worker) export(variables []libpam.Variable) {
	for _, v := range variables {
		if slices.Contains(w.served.GetModuleGetenv(), v.Name) {
			os.Setenv(v.Name, v.Value) // C's as well
		}
	}
}
