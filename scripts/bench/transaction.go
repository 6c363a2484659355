package main

import (
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"
)

// Who makes a transaction.
const (
	repeatedC = "C, in one process"
	processC  = "C, a process each"
	waitingC  = "C, waiting as a spare"
	processGo = "bare Go, a process each"
	waitingGo = "bare Go, waiting as a spare"
	pamtester = "pamtester"
)

// Figures of a transaction.
const (
	wallFigure   = "wall"
	promptFigure = "first prompt"
	cpuFigure    = "CPU of its process"
	besideFigure = "CPU of the broker"
	clientFigure = "CPU of the client"
	allocFigure  = "allocations of the client"
)

// measureTransactions is row (a).
func measureTransactions(b *bench) error {
	for _, of := range []struct{ service, name string }{
		{permitService, "four lines of pam_permit"},
		{loginService, "Debian's login, with a password"},
	} {
		rounds := b.often(200, 15)
		t := b.newTable(of.name, rounds, column{wallFigure, "ms"}, column{cpuFigure, "ms"}, column{besideFigure, "ms"},
			column{clientFigure, "ms"}, column{allocFigure, "n"})
		if err := transactions(t, rounds, of.service, []string{repeatedC, processC, waitingC, processGo, waitingGo, pamtester}); err != nil {
			return err
		}
		t.compare("spare : C waiting", wallFigure, spare, waitingC, target{most: 1.25})
		t.compare("spare, preloaded : C waiting", wallFigure, preloaded, waitingC, target{below: 1})
		t.compare("cold : pamtester", wallFigure, cold, pamtester, target{most: 1.8})
		t.compare("cold : C process", wallFigure, cold, processC, target{})
		t.compare("bare Go : C process", wallFigure, processGo, processC, target{})
		t.compare("cold : bare Go", wallFigure, cold, processGo, target{})
	}
	b.report.Tables[len(b.report.Tables)-1].note("from the request to the answer; a C process and pamtester to their end, which is all that tells of it")
	b.report.Tables[len(b.report.Tables)-1].note("CPU of a process as its parent is told (wait4); of workers, the mean of those that the broker reaped")
	return nil
}

// measurePrompts is row (b).
func measurePrompts(b *bench) error {
	for _, of := range []struct{ service, name string }{
		{unixService, "pam_unix alone"},
		{loginService, "Debian's login"},
	} {
		rounds := b.often(200, 15)
		t := b.newTable(of.name, rounds, column{promptFigure, "ms"})
		if err := transactions(t, rounds, of.service, []string{repeatedC, processC}); err != nil {
			return err
		}
		t.compare("spare : C fresh", promptFigure, spare, processC, target{most: 1.5})
		t.compare("spare, preloaded : C fresh", promptFigure, preloaded, processC, target{below: 1})
		t.compare("cold : C fresh", promptFigure, cold, processC, target{})
		t.note("C, a process each: a fresh process, from pam_start to the prompt, without its start")
	}
	return nil
}

// transactions measures a login through a service, by those peers and by ours in each
// way.
func transactions(t *table, rounds int, service string, peers []string) (err error) {
	brokers, end, err := driveAll()
	defer func() { err = errors.Join(err, end()) }()
	if err != nil {
		return err
	}
	repeated, err := startTransactor(inC, 0)
	if err != nil {
		return err
	}
	defer repeated.end()
	makers := map[string]contender{
		repeatedC: repeatedTransaction(repeated, service), pamtester: pamtesterTransaction(service),
		processC: processTransaction(processC, inC, service), waitingC: waitingTransaction(waitingC, inC, service),
		processGo: processTransaction(processGo, inGo, service), waitingGo: waitingTransaction(waitingGo, inGo, service),
	}
	var contenders []contender
	for _, name := range peers {
		contenders = append(contenders, makers[name])
	}
	for _, d := range brokers {
		contenders = append(contenders, d.transaction(service))
	}
	t.noteSpares()
	return t.measure(rounds, contenders)
}

func repeatedTransaction(c *transactor, service string) contender {
	request := requestOf("login", service)
	return contender{name: repeatedC, measure: func() (sample, error) {
		began := time.Now()
		a, err := c.ask(request)
		return sample{wallFigure: milliseconds(time.Since(began)), promptFigure: milliseconds(a.prompt), cpuFigure: milliseconds(a.cpu)}, err
	}}
}

func processTransaction(name, made, service string) contender {
	request := requestOf("login", service)
	return contender{name: name, measure: func() (sample, error) {
		began := time.Now()
		c, err := startTransactor(made, 1)
		if err != nil {
			return nil, err
		}
		a, err := c.ask(request)
		cpu, endErr := c.end()
		return sample{wallFigure: milliseconds(time.Since(began)), promptFigure: milliseconds(a.prompt), cpuFigure: milliseconds(cpu)}, errors.Join(err, endErr)
	}}
}

// waitingTransaction starts the next process off the clock.
func waitingTransaction(name, made, service string) contender {
	request := requestOf("login", service)
	var c *transactor
	return contender{
		name: name,
		prepare: func() (err error) {
			if c, err = startTransactor(made, 1); err != nil {
				return err
			}
			return c.waits()
		},
		measure: func() (sample, error) {
			began := time.Now()
			a, err := c.ask(request)
			wall := time.Since(began)
			cpu, endErr := c.end()
			return sample{wallFigure: milliseconds(wall), promptFigure: milliseconds(a.prompt), cpuFigure: milliseconds(cpu)}, errors.Join(err, endErr)
		},
	}
}

// pamtesterTransaction lacks the user's groups, the environment and the deletion of
// credentials: it has no words for them.
func pamtesterTransaction(service string) contender {
	args := []string{"-I", "rhost=127.0.0.1", "-I", "tty=ssh", service, user, "authenticate", "acct_mgmt", "setcred(PAM_ESTABLISH_CRED)",
		"open_session", "close_session"}
	return contender{name: pamtester, measure: func() (sample, error) {
		cmd := exec.Command("pamtester", args...)
		cmd.Stdin = strings.NewReader(password + "\n")
		began := time.Now()
		out, err := cmd.CombinedOutput()
		wall := time.Since(began)
		if err != nil {
			return nil, fmt.Errorf("%w\n%s", err, out)
		}
		cpu := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
		return sample{wallFigure: milliseconds(wall), cpuFigure: milliseconds(cpu)}, nil
	}}
}

// transaction is ours.
func (d *driven) transaction(service string) contender {
	o := order{Service: service, User: user, Password: password, Count: 1}
	return contender{name: d.way.name, prepare: d.settled, spent: d.spent, measure: func() (sample, error) {
		done, err := d.ask(o)
		return sample{
			wallFigure: milliseconds(done.Total), promptFigure: milliseconds(done.Prompt), clientFigure: milliseconds(done.CPU),
			allocFigure: float64(done.Allocs),
		}, err
	}}
}
