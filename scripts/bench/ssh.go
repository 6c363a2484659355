package main

import (
	"errors"
	"fmt"
	"sync"
	"time"
)

// measureSSH is row (d): a whole connection that runs one command.
func measureSSH(b *bench) (err error) {
	servers, err := startServers()
	defer func() { err = errors.Join(err, servers.end()) }()
	if err != nil {
		return err
	}
	for _, atOnce := range []int{1, 8} {
		rounds := b.often(60, 8)
		if atOnce > 1 {
			rounds = b.often(20, 3)
		}
		t := b.newTable(fmt.Sprintf("true, %d at once", atOnce), rounds, column{wallFigure, "ms"})
		var contenders []contender
		for _, s := range servers.all {
			contenders = append(contenders, s.logins(atOnce))
		}
		t.noteSpares()
		if err := t.measure(rounds, contenders); err != nil {
			return err
		}
		for _, w := range ways() {
			t.compare(w.name+" : sshd", wallFigure, w.name, openSSH, target{most: 0.6})
		}
		if atOnce > 1 {
			t.note("the time until the last of them has ended")
		}
	}
	return nil
}

// logins makes so many connections at once.
func (s *server) logins(atOnce int) contender {
	return contender{name: s.name, prepare: s.settled, measure: func() (sample, error) {
		var all sync.WaitGroup
		errs := make([]error, atOnce)
		began := time.Now()
		for i := range atOnce {
			all.Go(func() { errs[i] = run(s.ssh(plainCipher, "true")) })
		}
		all.Wait()
		return sample{wallFigure: milliseconds(time.Since(began))}, errors.Join(errs...)
	}}
}
