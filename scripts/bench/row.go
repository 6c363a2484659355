package main

import (
	"fmt"
	"os"
	"time"
)

// row is one thing that is measured, with all who do it.
type row struct {
	name, title string
	run         func(*bench) error
}

// rows are all of them, in the order of the table.
var rows = []row{
	{"transaction", "a whole login without a process, from pam_start to pam_end", measureTransactions},
	{"prompt", "from the request to the first prompt", measurePrompts},
	{"rate", "authenticate and account in a second, at 1, 8 and 32 at once", measureRates},
	{"ssh", "a whole ssh HOST true, at 1 and 8 at once", measureSSH},
	{"memory", "memory of a live session", measureMemory},
	{"open", "first prompt and login rate behind open sessions", measureOpen},
	{"throughput", "bytes through a session, both ways", measureThroughput},
	{"size", "size of the programs, and their start", measureSizes},
}

// bench is one run on the private machine.
type bench struct {
	settings
	report *report
}

// often is how many rounds there are: as many as the person says, or the row.
func (b *bench) often(whole, quick int) int {
	if b.rounds > 0 {
		return b.rounds
	}
	return b.pick(whole, quick)
}

// pick is a size of the whole run or of the quick one.
func (b *bench) pick(whole, quick int) int {
	if b.quick {
		return quick
	}
	return whole
}

// runRows runs the rows that are wanted, and shows each when it is there. Nothing of
// a row may be left when the next one begins.
func (b *bench) runRows() error {
	for _, r := range rows {
		if !b.wants(r.name) {
			continue
		}
		began, before := time.Now(), len(b.report.Tables)
		fmt.Fprintf(os.Stderr, "bench: %s: %s\n", r.name, r.title)
		if err := r.run(b); err != nil {
			return fmt.Errorf("row %s: %w", r.name, err)
		}
		if left := leftRunning(); len(left) > 0 {
			return fmt.Errorf("row %s left processes running: %q; want none", r.name, left)
		}
		for _, t := range b.report.Tables[before:] {
			t.Row = r.name
			t.print(os.Stdout)
		}
		fmt.Fprintf(os.Stderr, "bench: %s: %s\n\n", r.name, time.Since(began).Round(time.Second))
	}
	return nil
}
