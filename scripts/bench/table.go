package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// table is the outcome of a row, or of one case of it.
type table struct {
	Row    string   `json:"row"`
	Case   string   `json:"case"`
	Rounds int      `json:"rounds"`
	Lines  []*line  `json:"contenders"`
	Ratios []ratio  `json:"ratios"`
	Notes  []string `json:"notes,omitempty"`

	columns []column
}

// column is one of the figures of a table.
type column struct{ name, unit string }

// line is one contender.
type line struct {
	Contender string    `json:"contender"`
	Figures   []*figure `json:"figures"`
}

// figure is one thing that was measured of a contender.
type figure struct {
	Name string `json:"name"`
	Unit string `json:"unit"`
	summary
	// Mean: it could be read as a sum only. Median is the mean then.
	Mean bool `json:"mean,omitempty"`

	samples []float64
}

// ratio is ours to theirs, and what it is to reach.
type ratio struct {
	What   string `json:"what"`
	Figure string `json:"figure"`
	summary
	Target string `json:"target,omitempty"`
	Met    bool   `json:"met,omitempty"`

	row string
}

// target is a bound of a ratio: one of them, or none.
type target struct{ most, below, least float64 }

func (t target) judge(value float64) (text string, met bool) {
	switch {
	case t.most > 0:
		return fmt.Sprintf("at most %v", t.most), value <= t.most
	case t.below > 0:
		return fmt.Sprintf("below %v", t.below), value < t.below
	case t.least > 0:
		return fmt.Sprintf("at least %v", t.least), value >= t.least
	}
	return "", false
}

// newTable begins one, to which the row adds its contenders.
func (b *bench) newTable(name string, rounds int, columns ...column) *table {
	t := &table{Case: name, Rounds: rounds, columns: columns}
	b.report.Tables = append(b.report.Tables, t)
	return t
}

func (t *table) note(form string, args ...any) {
	t.Notes = append(t.Notes, fmt.Sprintf(form, args...))
}

// add enters the samples of a contender.
func (t *table) add(contender string, samples []sample) {
	l := &line{Contender: contender}
	for _, c := range t.columns {
		f := &figure{Name: c.name, Unit: c.unit}
		for _, s := range samples {
			if value, there := s[c.name]; there {
				f.samples = append(f.samples, value)
			}
		}
		if f.summary = summarize(f.samples); f.Samples > 0 {
			l.Figures = append(l.Figures, f)
		}
	}
	t.Lines = append(t.Lines, l)
}

// addMean enters a figure that is a mean.
func (t *table) addMean(contender, name string, mean float64, samples int) {
	for _, c := range t.columns {
		if c.name == name {
			l := t.line(contender)
			l.Figures = append(l.Figures, &figure{Name: name, Unit: c.unit, Mean: true, summary: summary{mean, mean, mean, samples}})
		}
	}
}

func (t *table) line(contender string) *line {
	for _, l := range t.Lines {
		if l.Contender == contender {
			return l
		}
	}
	return nil
}

func (l *line) figure(name string) *figure {
	if l == nil {
		return nil
	}
	for _, f := range l.Figures {
		if f.Name == name {
			return f
		}
	}
	return nil
}

// compare adds the ratio of two contenders that are both there: the median of the
// ratios of the rounds.
func (t *table) compare(what, name, ours, theirs string, want target) {
	one, other := t.line(ours).figure(name), t.line(theirs).figure(name)
	if one == nil || other == nil {
		return
	}
	var ratios []float64
	for i := range min(len(one.samples), len(other.samples)) {
		ratios = append(ratios, one.samples[i]/other.samples[i])
	}
	r := ratio{What: what, Figure: name, summary: summarize(ratios)}
	r.Target, r.Met = want.judge(r.Median)
	t.Ratios = append(t.Ratios, r)
}

// print shows a table as text.
func (t *table) print(out io.Writer) {
	title := t.Row
	if t.Case != "" {
		title += ", " + t.Case
	}
	fmt.Fprintf(out, "%s (%d rounds)\n", title, t.Rounds)
	columns := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprint(columns, "  ")
	for _, c := range t.columns {
		fmt.Fprintf(columns, "\t%s, %s", c.name, c.unit)
	}
	fmt.Fprintln(columns)
	for _, l := range t.Lines {
		fmt.Fprintf(columns, "  %s", l.Contender)
		for _, c := range t.columns {
			fmt.Fprintf(columns, "\t%s", l.figure(c.name).text())
		}
		fmt.Fprintln(columns)
	}
	columns.Flush()
	printRatios(out, t.Ratios)
	for _, note := range t.Notes {
		fmt.Fprintf(out, "  %s\n", note)
	}
	fmt.Fprintln(out)
}

func printRatios(out io.Writer, ratios []ratio) {
	columns := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, r := range ratios {
		fmt.Fprintf(columns, "  %s\t%s\t%s\n", strings.TrimPrefix(r.row+", "+r.What, ", "), r.spread(), r.verdict())
	}
	columns.Flush()
}

func (r ratio) verdict() string {
	switch {
	case r.Target == "":
		return ""
	case r.Met:
		return r.Target + ": met"
	}
	return r.Target + ": NOT MET"
}

func (f *figure) text() string {
	switch {
	case f == nil:
		return "-"
	case f.Mean:
		return short(f.Median) + " mean"
	case f.Samples == 1:
		return short(f.Median)
	}
	return f.spread()
}

func (s summary) spread() string {
	if s.Samples == 1 {
		return short(s.Median)
	}
	return fmt.Sprintf("%s (%s-%s)", short(s.Median), short(s.Lower), short(s.Upper))
}

// short is a number with three digits that count, or all before the point.
func short(value float64) string {
	switch {
	case value >= 100:
		return fmt.Sprintf("%.0f", value)
	case value >= 10:
		return fmt.Sprintf("%.1f", value)
	case value >= 1:
		return fmt.Sprintf("%.2f", value)
	}
	return fmt.Sprintf("%.3f", value)
}
