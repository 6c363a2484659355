package sweep

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/pamhelper/pamhelper/cmd/pamhelper/internal/record"
	"github.com/pamhelper/pamhelper/pkg/ipc"
)

// SessionsCommand is "pamhelper sessions".
func SessionsCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "sessions",
		Short: "List the logins that are open",
		Long: `List the logins that have something to close, oldest first, as root.

STATE is one of:
  live       its worker lives
  dead       its worker was killed or crashed: "pamhelper sweep" closes it
  failed     closing it was given up; what sweep printed says why
  old boot   the machine was started again since: sweep removes the record
  elsewhere  its processes are in another PID namespace: run sweep there
  unreadable its record is damaged: sweep moves it away

WORKER is the worker's process id, PROCESSES are those that the login started.

Exit status: 0 the logins have been shown, 2 usage, no access, or a record that
cannot be looked at.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			found, err := record.List()
			if errors.Is(err, fs.ErrPermission) {
				return errors.New("only root can see the logins: run it as root")
			}
			if err != nil && len(found) == 0 {
				return err // whether a login is open is not known
			}
			print := printTable
			if asJSON {
				print = printJSON
			}
			return errors.Join(print(cmd.OutOrStdout(), sessionsOf(found)), err)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object per line")
	return cmd
}

// session is what is shown of a login: never its environment.
type session struct {
	ID        string    `json:"id"`
	State     string    `json:"state"`
	User      string    `json:"user"`
	Service   string    `json:"service"`
	Rhost     string    `json:"rhost"`
	Since     time.Time `json:"since"`
	Worker    int       `json:"worker"`
	Session   bool      `json:"session"` // opened, not only credentials
	Processes []process `json:"processes"`
}

type process struct {
	PID      int    `json:"pid"`
	Terminal string `json:"terminal,omitempty"`
}

func sessionsOf(found []record.Found) (sessions []session) {
	for _, f := range found {
		s := session{
			ID: f.ID, State: string(f.State), User: string(f.GetUser()), Service: f.GetService(), Rhost: f.GetRhost(),
			Since: time.Unix(f.GetSince(), 0).UTC(), Worker: int(f.GetWorker()), Session: f.GetSession(), Processes: []process{},
		}
		for _, p := range f.GetProcesses() {
			s.Processes = append(s.Processes, process{int(p.GetPid()), p.GetTerminal()})
		}
		sessions = append(sessions, s)
	}
	return sessions
}

func printTable(out io.Writer, sessions []session) error {
	if len(sessions) == 0 {
		_, err := fmt.Fprintln(out, "no login is open")
		return err
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ID\tSTATE\tUSER\tSERVICE\tFROM\tSINCE\tWORKER\tPROCESSES")
	for _, s := range sessions {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%d\t%s\n", s.ID, s.State, ipc.Printable([]byte(s.User)), s.Service,
			s.Rhost, s.Since.Local().Format("2006-01-02 15:04:05"), s.Worker, list(s.Processes))
	}
	return table.Flush()
}

// list shows processes as "812 (pts/3), 815".
func list(processes []process) string {
	if len(processes) == 0 {
		return "-"
	}
	var shown []string
	for _, p := range processes {
		text := strconv.Itoa(p.PID)
		if p.Terminal != "" {
			text += " (" + strings.TrimPrefix(p.Terminal, "/dev/") + ")"
		}
		shown = append(shown, text)
	}
	return strings.Join(shown, ", ")
}

func printJSON(out io.Writer, sessions []session) error {
	encoder := json.NewEncoder(out)
	for _, s := range sessions {
		if err := encoder.Encode(s); err != nil {
			return err
		}
	}
	return nil
}
