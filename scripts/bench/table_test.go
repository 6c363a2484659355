package main

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// twoContenders is a table with three rounds in it, the second of which met something
// else that ran on the machine.
func twoContenders() *table {
	t := &table{Row: "row", Case: "case", Rounds: 3, columns: []column{{wallFigure, "ms"}, {cpuFigure, "ms"}}}
	t.add("ours", []sample{{wallFigure: 2}, {wallFigure: 40}, {wallFigure: 2}})
	t.addMean("ours", cpuFigure, 1.5, 3)
	t.add("theirs", []sample{{wallFigure: 1, cpuFigure: 1}, {wallFigure: 20, cpuFigure: 1}, {wallFigure: 4, cpuFigure: 1}})
	return t
}

func TestARatioIsTheMedianOfThoseOfTheRounds(t *testing.T) {
	table := twoContenders()
	table.compare("ours : theirs", wallFigure, "ours", "theirs", target{most: 1.25})
	got := table.Ratios[0]
	if got.Median != 2 || got.Samples != 3 || got.Met {
		t.Errorf("got %+v, want 2 of 3 rounds, not met", got)
	}
}

func TestNothingIsComparedWithWhoIsNotThere(t *testing.T) {
	table := twoContenders()
	table.compare("spare : theirs", wallFigure, "spare", "theirs", target{most: 1})
	if len(table.Ratios) != 0 {
		t.Errorf("got %+v, want no ratio", table.Ratios)
	}
}

func TestTargetsBoundFromOneSide(t *testing.T) {
	for _, c := range []struct {
		target target
		value  float64
		want   bool
	}{
		{target{most: 1.25}, 1.25, true}, {target{most: 1.25}, 1.26, false},
		{target{below: 1}, 0.99, true}, {target{below: 1}, 1, false},
		{target{least: 0.6}, 0.6, true}, {target{least: 0.6}, 0.59, false},
	} {
		if text, got := c.target.judge(c.value); got != c.want {
			t.Errorf("%v, %s: got met %v, want %v", c.value, text, got, c.want)
		}
	}
}

func TestATableShowsEachContender(t *testing.T) {
	table := twoContenders()
	table.compare("ours : theirs", wallFigure, "ours", "theirs", target{most: 1.25})
	table.note("a note")
	var out strings.Builder
	table.print(&out)
	const want = `row, case (3 rounds)
          wall, ms          CPU of its process, ms
  ours    2.00 (2.00-21.0)  1.50 mean
  theirs  4.00 (2.50-12.0)  1.00 (1.00-1.00)
  ours : theirs  2.00 (1.25-2.00)  at most 1.25: NOT MET
  a note

`
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
}

func TestContendersAreMeasuredInTurn(t *testing.T) {
	var order []string
	one := func(name string) contender {
		return contender{name: name, measure: func() (sample, error) {
			order = append(order, name)
			return sample{wallFigure: 1}, nil
		}}
	}
	table := &table{columns: []column{{wallFigure, "ms"}}}
	if err := table.measure(2, []contender{one("a"), one("b"), one("c")}); err != nil {
		t.Fatal(err)
	}
	if want := strings.Fields("a b c a b c"); !slices.Equal(order, want) {
		t.Errorf("got %q, want %q", order, want)
	}
}

func TestAMeanLeavesOutTheWarmUps(t *testing.T) {
	runs := 0
	counted := contender{
		name:    "counted",
		measure: func() (sample, error) { runs++; return nil, nil },
		spent:   func() (sample, error) { return sample{cpuFigure: float64(10 * runs)}, nil },
	}
	table := &table{columns: []column{{cpuFigure, "ms"}}}
	if err := table.measure(6, []contender{counted}); err != nil {
		t.Fatal(err)
	}
	got := table.line("counted").figure(cpuFigure)
	if runs != 6+warmUps(6) || got.Median != 10 || !got.Mean {
		t.Errorf("%d runs: got %+v, want a mean of 10 of %d runs", runs, got, 6+warmUps(6))
	}
}

func TestAFailureEndsTheRowAndNamesTheContender(t *testing.T) {
	failing := contender{name: "failing", measure: func() (sample, error) { return nil, errors.New("broken") }}
	table := &table{}
	if err := table.measure(5, []contender{failing}); err == nil || err.Error() != "failing: broken" {
		t.Errorf("got %v, want failing: broken", err)
	}
}
