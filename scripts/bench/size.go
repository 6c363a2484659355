package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"time"

	"github.com/pamhelper/pamhelper/pkg/ipc"
)

const (
	sizeFigure  = "size"
	startFigure = "start"
)

// measureSizes is row (h).
func measureSizes(b *bench) error {
	sizes := b.newTable("programs", 1, column{sizeFigure, "MiB"})
	for _, path := range []string{program("pamhelper"), program("agent"), "/usr/sbin/sshd", "/usr/bin/ssh", "/usr/sbin/saslauthd",
		"/usr/bin/pamtester", program("transaction")} {
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		sizes.add(path, []sample{{sizeFigure: float64(info.Size()) / (1 << 20)}})
	}
	rounds := b.often(100, 15)
	starts := b.newTable("start of a process", rounds, column{startFigure, "ms"})
	err := starts.measure(rounds, []contender{startOfTrue(), startOfC(), startOfWorker()})
	return err
}

func startOfTrue() contender {
	return contender{name: "/bin/true, to its end", measure: func() (sample, error) {
		began := time.Now()
		err := exec.Command("/bin/true").Run()
		return sample{startFigure: milliseconds(time.Since(began))}, err
	}}
}

func startOfC() contender {
	hello := requestOf("hello", permitService)
	return contender{name: "C, to its answer", measure: func() (sample, error) {
		began := time.Now()
		c, err := startTransactor(inC, 1)
		if err != nil {
			return nil, err
		}
		_, err = c.ask(hello)
		took := time.Since(began)
		_, endErr := c.end()
		return sample{startFigure: milliseconds(took)}, errors.Join(err, endErr)
	}}
}

// startOfWorker greets a strict worker.
func startOfWorker() contender {
	launcher := ipc.Exec{Path: program("pamhelper"), Args: []string{"--policy", policyFile}}
	return contender{name: "pamhelper worker, to its Welcome", measure: func() (sample, error) {
		began := time.Now()
		client, err := ipc.Dial(context.Background(), launcher, ipc.Options{})
		if err != nil {
			return nil, err
		}
		took := time.Since(began)
		return sample{startFigure: milliseconds(took)}, client.Close()
	}}
}
