// Bench measures pamhelper side by side with what does the same without it: a C
// program, pamtester, saslauthd, OpenSSH. It is started by "make bench", as root, on
// Debian, and refuses to run without root: it makes namespaces with an /etc, users and
// a loopback of their own, in which everything runs, and with which all of it ends,
// however the bench does.
//
// The contenders of a row are measured in turn, round by round, so that what else the
// machine does now and then meets all of them; a ratio is the median of the ratios of
// the rounds. No number of one run is to be compared with a number of another. On a
// machine that is busy all the time nothing can be measured, and the bench says so.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// settings are what the person says.
type settings struct {
	quick    bool
	programs string // where pamhelper and agent are
	json     string
	rows     []string
	rounds   int
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == agentRole {
		exit(beAgent())
	}
	s, err := parse(os.Args[1:])
	if err == nil && os.Getenv(insideVariable) != "" {
		err = inside(s)
	} else if err == nil {
		err = enter(s)
	}
	exit(err)
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func parse(args []string) (s settings, err error) {
	flags := flag.NewFlagSet("bench", flag.ExitOnError)
	flags.BoolVar(&s.quick, "quick", false, "all rows in a minute: fewer rounds, sessions and bytes")
	flags.StringVar(&s.programs, "programs", "bin", "the `directory` of the programs pamhelper and agent")
	flags.StringVar(&s.json, "json", "bin/bench.json", "the `file` that the results are written to")
	flags.IntVar(&s.rounds, "rounds", 0, "so many rounds in each row, `n`, instead of its own number")
	flags.Func("row", "run this row only, `name`; can be given more than once:\n"+rowList(), func(name string) error {
		if !slices.ContainsFunc(rows, func(r row) bool { return r.name == name }) {
			return fmt.Errorf("there is no such row; there are:\n%s", rowList())
		}
		s.rows = append(s.rows, name)
		return nil
	})
	flags.Parse(args)
	if flags.NArg() > 0 {
		return s, fmt.Errorf("%q: there are flags only, see --help", flags.Arg(0))
	}
	// Where it works there is another directory.
	for _, path := range []*string{&s.programs, &s.json} {
		if *path, err = filepath.Abs(*path); err != nil {
			return s, err
		}
	}
	return s, nil
}

// wants reports whether a row is to be run.
func (s settings) wants(name string) bool { return len(s.rows) == 0 || slices.Contains(s.rows, name) }

func rowList() string {
	var list strings.Builder
	for _, r := range rows {
		fmt.Fprintf(&list, "  %-12s %s\n", r.name, r.title)
	}
	return list.String()
}
