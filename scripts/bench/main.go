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
	"errors"
	"flag"
	"fmt"
	"io"
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

// usualResults is beside the programs: whether those are there is checked anyway.
const usualResults = "bin/bench.json"

// The exit statuses of a bench that has no results.
const (
	exitFailed = 1
	exitUsage  = 2 // what it was called with is nothing that it can do
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == agentRole {
		exit(beAgent(), exitFailed)
	}
	s, err := parse(os.Args[1:])
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		exit(fmt.Errorf("%w; see --help", err), exitUsage)
	}
	if os.Getenv(insideVariable) != "" {
		exit(inside(s), exitFailed)
	}
	exit(enter(s), exitFailed)
}

// exit ends the program, with the status where there is an error.
func exit(err error, status int) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(status)
	}
	os.Exit(0)
}

// parse prints the help where it is asked for, and returns flag.ErrHelp then.
func parse(args []string) (s settings, err error) {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // an error is told once, without the whole help
	flags.BoolVar(&s.quick, "quick", false, "all rows in a minute: fewer rounds, sessions and bytes")
	flags.StringVar(&s.programs, "programs", "bin", "the `directory` of the programs pamhelper and agent")
	flags.StringVar(&s.json, "json", usualResults, "the `file` that the results are written to")
	flags.IntVar(&s.rounds, "rounds", 0, "so many rounds in each row, `n`, instead of its own number")
	flags.Func("row", "run this row only, `name`; can be given more than once:\n"+rowList(), func(name string) error {
		if !slices.Contains(rowNames(), name) {
			return fmt.Errorf("there is no such row; there are %s", strings.Join(rowNames(), ", "))
		}
		s.rows = append(s.rows, name)
		return nil
	})
	err = flags.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		flags.SetOutput(os.Stdout)
		flags.Usage()
	}
	if err != nil {
		return s, err
	}
	if flags.NArg() > 0 {
		return s, fmt.Errorf("%q: there are flags only", flags.Arg(0))
	}
	return s, s.complete()
}

// complete checks what the flags do not check by themselves, and makes the paths
// absolute: where the bench works there is another directory.
func (s *settings) complete() (err error) {
	if s.rounds < 0 {
		return fmt.Errorf("--rounds %d: it is a number of rounds, and cannot be negative", s.rounds)
	}
	chosen := s.json != usualResults
	for _, path := range []*string{&s.programs, &s.json} {
		if *path, err = filepath.Abs(*path); err != nil {
			return err
		}
	}
	// Behind all the rows it would be too late.
	if info, err := os.Stat(s.json); err == nil && info.IsDir() {
		return fmt.Errorf("--json %s: it is a directory; give it the name of a file", s.json)
	}
	if _, err := os.Stat(filepath.Dir(s.json)); chosen && err != nil {
		return fmt.Errorf("--json %s: there is no directory for it", s.json)
	}
	return nil
}

// wants reports whether a row is to be run.
func (s settings) wants(name string) bool { return len(s.rows) == 0 || slices.Contains(s.rows, name) }

func rowNames() (names []string) {
	for _, r := range rows {
		names = append(names, r.name)
	}
	return names
}

func rowList() string {
	var list strings.Builder
	for _, r := range rows {
		fmt.Fprintf(&list, "  %-12s %s\n", r.name, r.title)
	}
	return list.String()
}
