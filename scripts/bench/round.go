package main

import (
	"fmt"
	"maps"
)

// sample is what one contender did in one round, by figure.
type sample map[string]float64

// contender is one of those who are measured side by side.
type contender struct {
	name string
	// prepare comes before each round, off the clock: it waits until everything of
	// the round before is over. It may be nil.
	prepare func() error
	measure func() (sample, error)
	// spent is what can only be read as a sum that grows; its share of a round is
	// the mean over all of them. It may be nil.
	spent func() (sample, error)
}

// warmUps are rounds whose numbers are thrown away.
func warmUps(rounds int) int { return min(2, rounds/3) }

// measure runs the contenders in turn, as often as there are rounds.
func (t *table) measure(rounds int, contenders []contender) error {
	for range warmUps(rounds) {
		for _, c := range contenders {
			if _, err := c.once(); err != nil {
				return err
			}
		}
	}
	before, err := spentBy(contenders)
	if err != nil {
		return err
	}
	taken := make([][]sample, len(contenders))
	for range rounds {
		for i, c := range contenders {
			got, err := c.once()
			if err != nil {
				return err
			}
			taken[i] = append(taken[i], got)
		}
	}
	after, err := spentBy(contenders)
	if err != nil {
		return err
	}
	for i, c := range contenders {
		t.add(c.name, taken[i])
		for name, value := range after[i] {
			t.addMean(c.name, name, (value-before[i][name])/float64(rounds), rounds)
		}
	}
	return nil
}

func (c contender) once() (sample, error) {
	if c.prepare != nil {
		if err := c.prepare(); err != nil {
			return nil, fmt.Errorf("%s: %w", c.name, err)
		}
	}
	got, err := c.measure()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.name, err)
	}
	return maps.Clone(got), nil
}

func spentBy(contenders []contender) (sums []sample, err error) {
	for _, c := range contenders {
		var sum sample
		if c.spent != nil {
			if c.prepare != nil {
				err = c.prepare()
			}
			if err == nil {
				sum, err = c.spent()
			}
			if err != nil {
				return nil, fmt.Errorf("%s: %w", c.name, err)
			}
		}
		sums = append(sums, sum)
	}
	return sums, nil
}
