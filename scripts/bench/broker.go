package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"
)

// way is a way to run the broker.
type way struct {
	name   string
	flags  []string
	spares int // workers that wait when nothing is going on
}

const (
	cold      = "ours, cold"
	spare     = "ours, spare"
	preloaded = "ours, spare, preloaded"
)

// ways are those that this pamhelper has.
var ways = sync.OnceValue(func() []way {
	if !canSpare() {
		return []way{{name: cold}}
	}
	return []way{
		{cold, []string{"--spare", "0"}, 0},
		{spare, []string{"--spare", "1", "--preload=false"}, 1},
		{preloaded, []string{"--spare", "1", "--preload=true"}, 1},
	}
})

// canSpare reports whether the broker keeps spare workers.
func canSpare() bool {
	help, _ := exec.Command(program("pamhelper"), "broker", "--help").Output()
	return strings.Contains(string(help), "--spare")
}

// noteSpares says which contenders are not there.
func (t *table) noteSpares() {
	if !canSpare() {
		t.note("not available: spare workers (this pamhelper broker has no --spare)")
	}
}

// broker is "pamhelper broker" with an agent.
type broker struct {
	way way
	cmd *exec.Cmd
	log string
}

// startBroker starts one. What it and its workers log goes to a file.
func startBroker(w way, stdin io.Reader, stdout io.Writer, command ...string) (*broker, error) {
	log, err := os.CreateTemp(base, "broker*.log")
	if err != nil {
		return nil, err
	}
	defer log.Close()
	args := slices.Concat([]string{"broker"}, w.flags, []string{"--user", agentUser, "--policy", policyFile, "--"}, command)
	b := &broker{way: w, log: log.Name(), cmd: exec.Command(program("pamhelper"), args...)}
	b.cmd.Stdin, b.cmd.Stdout, b.cmd.Stderr = stdin, stdout, log
	if err := b.cmd.Start(); err != nil {
		return nil, err
	}
	return b, nil
}

func (b *broker) pid() int { return b.cmd.Process.Pid }

// explain adds the end of the log to an error.
func (b *broker) explain(err error) error {
	if err == nil {
		return nil
	}
	text, _ := os.ReadFile(b.log)
	const most = 2000
	return fmt.Errorf("%w; the end of the log of %q:\n%s", err, b.way.name, text[max(0, len(text)-most):])
}

// settled waits until nothing is going on: the workers of logins have been reaped,
// and the spares are there and wait.
func (b *broker) settled() error { return b.settledWith(0) }

// settledWith is the same where so many logins are open.
func (b *broker) settledWith(open int) error {
	want := 1 + b.way.spares + open // with the agent
	return b.explain(eventually(func() bool {
		children := childrenOf(b.pid())
		spares := slices.DeleteFunc(slices.Clone(children), func(pid int) bool { return nameOf(pid) != spareName })
		return len(children) == want && len(spares) == b.way.spares && quiet(append(spares, b.pid()))
	}, "%d children of the broker, %d of them spares that wait", want, b.way.spares))
}

// spareName is what a worker is called that waits for its login.
const spareName = "pamhelper spare"

// quiet reports whether processes use no processor for a moment.
func quiet(pids []int) bool {
	before := cpuClocks(pids)
	time.Sleep(pollEvery)
	return slices.Equal(before, cpuClocks(pids))
}

func cpuClocks(pids []int) (clocks []time.Duration) {
	for _, pid := range pids {
		clock, _ := cpuClock(pid)
		clocks = append(clocks, clock)
	}
	return clocks
}

// spent is what the broker and the workers that it has reaped used, by figure.
func (b *broker) spent() (sample, error) {
	workers, err := reapedCPU(b.pid())
	if err != nil {
		return nil, err
	}
	own, err := cpuClock(b.pid())
	if err != nil {
		return nil, err
	}
	return sample{cpuFigure: milliseconds(workers), besideFigure: milliseconds(own)}, nil
}

// driven is a broker whose agent is this program.
type driven struct {
	*broker
	in  io.WriteCloser
	out *json.Decoder
}

// drive starts a broker with an agent that does as it is told.
func drive(w way) (*driven, error) {
	theirs, in, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	out, theirOut, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer theirOut.Close()
	b, err := startBroker(w, theirs, theirOut, program("bench"), agentRole)
	if err != nil {
		return nil, err
	}
	d := &driven{b, in, json.NewDecoder(out)}
	if _, err := d.ask(order{}); err != nil { // it is there
		return nil, err
	}
	return d, nil
}

// driveAll starts one in each way.
func driveAll() (all []*driven, end func() error, err error) {
	end = func() (err error) {
		for _, d := range all {
			err = errors.Join(err, d.end())
		}
		return err
	}
	for _, w := range ways() {
		d, err := drive(w)
		if err != nil {
			return nil, end, err
		}
		all = append(all, d)
	}
	return all, end, nil
}

// ask gives an order and waits until it has been carried out.
func (d *driven) ask(o order) (done done, err error) {
	if err := json.NewEncoder(d.in).Encode(o); err != nil {
		return done, d.explain(err)
	}
	if err := d.out.Decode(&done); err != nil {
		return done, d.explain(err)
	}
	if done.Error != "" {
		return done, d.explain(errors.New(done.Error))
	}
	return done, nil
}

// end lets the agent end, and the broker with it.
func (d *driven) end() error {
	d.in.Close()
	if err := d.cmd.Wait(); err != nil {
		return d.explain(fmt.Errorf("%s: %w", d.way.name, err))
	}
	return nil
}
