package main

import (
	"bytes"
	"errors"
	"fmt"
	"os/exec"
	"time"
)

// Who makes logins at once.
const (
	daemon    = "saslauthd, 5 processes"
	spawnedC  = "C, started for each"
	spawnedGo = "bare Go, started for each"
)

const rateFigure = "logins"

// measureRates is row (c): authenticate and account with a right password.
func measureRates(b *bench) (err error) {
	brokers, end, err := driveAll()
	defer func() { err = errors.Join(err, end()) }()
	if err != nil {
		return err
	}
	sasl, err := startSaslauthd()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, sasl.end()) }()
	for _, of := range []struct{ service, name string }{{permitService, "pam_permit"}, {unixService, "pam_unix"}} {
		if b.quick && of.service == permitService {
			continue
		}
		for _, atOnce := range []int{1, 8, 32} {
			if err := b.rates(sasl, brokers, of.service, of.name, atOnce); err != nil {
				return err
			}
		}
	}
	return nil
}

// rates measures one service at one number of logins at once.
func (b *bench) rates(sasl *saslauthd, brokers []*driven, service, name string, atOnce int) error {
	rounds := b.often(5, 3)
	count := b.pick(max(100, 6*atOnce), max(20, 2*atOnce))
	t := b.newTable(fmt.Sprintf("%s, %d at once, %d logins a round", name, atOnce, count), rounds, column{rateFigure, "1/s"})
	contenders := []contender{
		{name: daemon, measure: func() (sample, error) {
			took, err := sasl.logins(service, count, atOnce)
			return perSecond(count, took), err
		}},
		spawned(spawnedC, inC, service, count, atOnce),
		spawned(spawnedGo, inGo, service, count, atOnce),
	}
	for _, d := range brokers {
		contenders = append(contenders, contender{name: d.way.name, prepare: d.settled, measure: func() (sample, error) {
			done, err := d.ask(order{Service: service, User: user, Password: password, Count: count, AtOnce: atOnce, Proof: true})
			return perSecond(count, done.Total), err
		}})
	}
	t.noteSpares()
	if err := t.measure(rounds, contenders); err != nil {
		return err
	}
	want := target{}
	if service == unixService && atOnce == 32 {
		want = target{least: 0.6}
	}
	t.compare("cold : C started for each", rateFigure, cold, spawnedC, want)
	t.compare("cold : saslauthd", rateFigure, cold, daemon, target{})
	t.compare("spare, preloaded : C started for each", rateFigure, preloaded, spawnedC, target{})
	t.compare("bare Go started for each : C started for each", rateFigure, spawnedGo, spawnedC, target{})
	t.compare("C started for each : saslauthd", rateFigure, spawnedC, daemon, target{})
	return nil
}

func perSecond(count int, took time.Duration) sample {
	return sample{rateFigure: float64(count) / took.Seconds()}
}

// spawned has a parent in C make logins, with a process of a program for each.
func spawned(name, made, service string, count, atOnce int) contender {
	return contender{name: name, measure: func() (sample, error) {
		cmd := exec.Command(program("spawner"), program(made), fmt.Sprint(atOnce), fmt.Sprint(count))
		cmd.Stdin = bytes.NewReader(requestOf("proof", service))
		out, err := cmd.CombinedOutput()
		if err != nil {
			return nil, fmt.Errorf("spawner: %w\n%s", err, out)
		}
		var took time.Duration
		_, err = fmt.Sscan(string(out), &took)
		return perSecond(count, took), err
	}}
}
