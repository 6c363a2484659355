package main

import (
	"bufio"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
)

// Figures of memory (proc(5), smaps_rollup): PSS shares out what several processes
// map, private is what nobody else has.
const (
	pssFigure     = "PSS"
	privateFigure = "private"
)

// Who has the same session open and nothing else: neither an agent nor a process of the
// user's.
const (
	keptC  = "C, with the session open"
	keptGo = "bare Go, with the session open"
)

// measureMemory is row (e). One server after the other has its sessions, since those
// of another one would share what it maps; what is compared are their kinds of
// processes, with the sessions and without, but for those of the user.
func measureMemory(b *bench) (err error) {
	servers, err := startServers()
	defer func() { err = errors.Join(err, servers.end()) }()
	if err != nil {
		return err
	}
	sessions := b.pick(100, 20)
	t := b.newTable(fmt.Sprintf("of each of %d sessions that run cat", sessions), 1, column{pssFigure, "MiB"}, column{privateFigure, "MiB"})
	for _, s := range servers.all {
		if err := t.addMemory(s, sessions); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	for _, p := range []struct{ name, made string }{{keptC, inC}, {keptGo, inGo}} {
		if err := t.addKept(p.name, p.made, sessions); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	t.noteSpares()
	for _, w := range ways() {
		t.compare(w.name+" : sshd", pssFigure, w.name, openSSH, target{most: 0.7})
		t.compare(w.name+" : sshd, private", privateFigure, w.name, openSSH, target{})
	}
	return nil
}

// addMemory measures a server, as a whole and by kinds of processes.
func (t *table) addMemory(s *server, sessions int) error {
	// One login before: what a server makes once is not a session's.
	if err := run(s.ssh(plainCipher, "true")); err != nil {
		return err
	}
	if err := s.settled(); err != nil {
		return err
	}
	before, err := s.memory()
	if err != nil {
		return err
	}
	end, err := s.holdSessions(sessions)
	if err == nil {
		err = s.settledWith(sessions)
	}
	after, measureErr := s.memory()
	end()
	if err = errors.Join(err, measureErr, s.settled()); err != nil {
		return err
	}
	whole := sample{}
	var parts []string
	for _, kind := range slices.Sorted(maps.Keys(after)) {
		for name, value := range after[kind] {
			whole[name] += (value - before[kind][name]) / float64(sessions)
		}
		parts = append(parts, fmt.Sprintf("%s %s", kind, short((after[kind][pssFigure]-before[kind][pssFigure])/float64(sessions))))
	}
	t.add(s.name, []sample{whole})
	t.note("%s, PSS: %s", s.name, strings.Join(parts, ", "))
	return nil
}

// addKept measures processes of a program that each keep a session open.
func (t *table) addKept(name, made string, sessions int) (err error) {
	var kept []*transactor
	defer func() {
		for _, c := range kept {
			_, endErr := c.end()
			err = errors.Join(err, endErr)
		}
	}()
	for range sessions {
		c, err := startTransactor(made, 0)
		if err != nil {
			return err
		}
		kept = append(kept, c)
		if _, err := c.ask(requestOf("keep", sshService)); err != nil {
			return err
		}
	}
	whole := sample{}
	for _, c := range kept {
		if err := addRollup(whole, c.pid); err != nil {
			return err
		}
	}
	for figure := range whole {
		whole[figure] /= float64(sessions)
	}
	t.add(name, []sample{whole})
	return nil
}

// holdSessions opens sessions, one after the other, that stay until end is called.
func (s *server) holdSessions(count int) (end func(), err error) {
	var held []*exec.Cmd
	end = func() {
		for _, cmd := range held { // cat ends with its input
			cmd.Process.Kill()
			cmd.Wait()
		}
	}
	for range count {
		cmd := s.ssh(plainCipher, "echo here; exec cat")
		out, err := cmd.StdoutPipe()
		if err == nil {
			_, err = cmd.StdinPipe()
		}
		if err != nil {
			return end, err
		}
		if err := cmd.Start(); err != nil {
			return end, err
		}
		held = append(held, cmd)
		if line, err := bufio.NewReader(out).ReadString('\n'); line != "here\n" {
			return end, fmt.Errorf("a session: got %q, %w; want here", line, err)
		}
	}
	return end, nil
}

// memory is what the processes of a server have, by kind.
func (s *server) memory() (map[string]sample, error) {
	kinds := map[string]sample{}
	for kind, pids := range s.processes() {
		kinds[kind] = sample{}
		for _, pid := range pids {
			if err := addRollup(kinds[kind], pid); err != nil {
				return nil, err
			}
		}
	}
	return kinds, nil
}

func addRollup(sum sample, pid int) error {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(line, ":")
		kib, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(value), "kB")), 64)
		switch {
		case err != nil:
		case name == "Pss":
			sum[pssFigure] += kib / 1024
		case name == "Private_Clean" || name == "Private_Dirty":
			sum[privateFigure] += kib / 1024
		}
	}
	return nil
}
