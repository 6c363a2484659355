package main

import (
	"errors"
	"fmt"
)

// besideOpen is the rate of logins that have nothing to do with ours: what the machine
// itself loses to as many processes.
const besideOpen = "logins in C"

// measureOpen is row (f): what open sessions cost the logins behind them. All are
// made by one agent through one broker, through the service with pam_unix. An open
// session has no process of the user: its worker waits, and that is what is measured.
// The broker is as it is by default, and without spares.
func measureOpen(b *bench) error {
	all := ways()
	if err := b.behindOpen(all[0]); err != nil || len(all) == 1 {
		return err
	}
	return b.behindOpen(all[len(all)-1])
}

// opened is how many sessions are open in a part of a round.
func (b *bench) opened() []int {
	if b.quick {
		return []int{0, 20}
	}
	return []int{0, 100, 1000}
}

func (b *bench) behindOpen(w way) (err error) {
	d, err := drive(w)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.end()) }()
	levels, rounds := b.opened(), b.often(5, 2)
	t := b.newTable(w.name, rounds, column{promptFigure, "ms"}, column{rateFigure, "1/s"}, column{besideOpen, "1/s"})
	taken := map[int][]sample{}
	for range rounds {
		open := 0
		for _, level := range levels {
			if err := d.open(level-open, level); err != nil {
				return err
			}
			open = level
			got, err := d.behind(b, open)
			if err != nil {
				return err
			}
			taken[level] = append(taken[level], got)
		}
		if _, err := d.ask(order{Drop: true}); err != nil {
			return err
		}
		if err := d.settled(); err != nil {
			return err
		}
	}
	for _, level := range levels {
		t.add(sessionsOpen(level), taken[level])
	}
	most := sessionsOpen(levels[len(levels)-1])
	t.compare("login rate with "+most+" : none", rateFigure, most, sessionsOpen(0), target{least: 0.85})
	t.compare(besideOpen+" with "+most+" : none", besideOpen, most, sessionsOpen(0), target{})
	t.compare("first prompt with "+most+" : none", promptFigure, most, sessionsOpen(0), target{})
	t.note("%s: those of a C program that a C program starts for each, while the same sessions are open", besideOpen)
	return nil
}

func sessionsOpen(n int) string { return fmt.Sprintf("%d open sessions", n) }

// open opens so many more sessions, of then so many.
func (d *driven) open(more, then int) error {
	if more > 0 {
		o := order{Service: unixService, User: user, Password: password, Count: more, AtOnce: 8, Keep: true}
		if _, err := d.ask(o); err != nil {
			return err
		}
	}
	return d.settledWith(then)
}

// behind measures logins where sessions are open: some one by one, then many at once.
func (d *driven) behind(b *bench, open int) (sample, error) {
	var prompts []float64
	for range b.pick(20, 5) {
		if err := d.settledWith(open); err != nil {
			return nil, err
		}
		done, err := d.ask(order{Service: unixService, User: user, Password: password, Count: 1, Proof: true})
		if err != nil {
			return nil, err
		}
		prompts = append(prompts, milliseconds(done.Prompt))
	}
	count := b.pick(400, 40)
	done, err := d.ask(order{Service: unixService, User: user, Password: password, Count: count, AtOnce: 8, Proof: true})
	if err != nil {
		return nil, err
	}
	if err := d.settledWith(open); err != nil {
		return nil, err
	}
	inC, err := spawned(spawnedC, inC, unixService, 2*count, 8).measure()
	if err != nil {
		return nil, err
	}
	return sample{
		promptFigure: summarize(prompts).Median,
		rateFigure:   float64(count) / done.Total.Seconds(),
		besideOpen:   inC[rateFigure],
	}, nil
}
