package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/pamhelper/pamhelper/pkg/ipc"
)

// agentRole is the argument with which this program is the agent under a broker.
const agentRole = "agent-role"

// order is what an agent is to do: Count logins, AtOnce of them at a time. They are
// made whole, or with Proof up to account, or with Keep up to the open session, which
// stays until Drop. A session without a process is enough for that.
type order struct {
	Service, User, Password string
	Count, AtOnce           int
	Proof, Keep, Drop       bool
}

// done is how that went.
type done struct {
	Error  string
	Prompt time.Duration // to the first prompt of the last login
	Total  time.Duration // of all
	CPU    time.Duration // of the agent's process
	Allocs uint64        // of the agent
	Bytes  uint64        // in them
}

var (
	wholeLogin  = []ipc.Step{ipc.Authenticate, ipc.Account, ipc.Credentials, ipc.OpenSession, ipc.CloseSession, ipc.End}
	proofOnly   = []ipc.Step{ipc.Authenticate, ipc.Account, ipc.End}
	openSession = []ipc.Step{ipc.Authenticate, ipc.Account, ipc.Credentials, ipc.OpenSession}
)

// agentOf is the agent.
type agentOf struct {
	broker *ipc.Broker
	mu     sync.Mutex
	open   []*ipc.Client
}

// beAgent carries out orders from standard input until it ends.
func beAgent() error {
	broker, err := ipc.OpenBroker()
	if err != nil {
		return err
	}
	a := &agentOf{broker: broker}
	orders, answers := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	for {
		var o order
		if err := orders.Decode(&o); errors.Is(err, io.EOF) {
			return a.drop()
		} else if err != nil {
			return err
		}
		if err := answers.Encode(a.carryOut(o)); err != nil {
			return err
		}
	}
}

func (a *agentOf) carryOut(o order) (d done) {
	if o.Drop {
		if err := a.drop(); err != nil {
			d.Error = err.Error()
		}
		return d
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	cpu := ownCPU()
	began := time.Now()
	prompt, err := a.logins(o)
	d = done{Prompt: prompt, Total: time.Since(began), CPU: ownCPU() - cpu}
	runtime.ReadMemStats(&after)
	d.Allocs, d.Bytes = after.Mallocs-before.Mallocs, after.TotalAlloc-before.TotalAlloc
	if err != nil {
		d.Error = err.Error()
	}
	return d
}

// logins makes the logins of an order.
func (a *agentOf) logins(o order) (prompt time.Duration, err error) {
	if o.Count == 1 {
		return a.login(o)
	}
	var left atomic.Int64
	left.Store(int64(o.Count))
	var all sync.WaitGroup
	errs := make([]error, o.AtOnce)
	for i := range o.AtOnce {
		all.Go(func() {
			for left.Add(-1) >= 0 && errs[i] == nil {
				_, errs[i] = a.login(o)
			}
		})
	}
	all.Wait()
	return 0, errors.Join(errs...)
}

// login makes one.
func (a *agentOf) login(o order) (prompt time.Duration, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	steps := wholeLogin
	switch {
	case o.Proof:
		steps = proofOnly
	case o.Keep:
		steps = openSession
	}
	asked := &knowing{password: o.Password, began: time.Now()}
	login := ipc.Login{Service: o.Service, User: o.User, Rhost: "127.0.0.1"}
	client, _, err := ipc.DialLogin(ctx, a.broker, ipc.Options{Conversation: asked}, login, steps...)
	if err != nil {
		if client != nil {
			client.Close()
		}
		return 0, fmt.Errorf("%s: %w", o.Service, err)
	}
	if o.Keep {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.open = append(a.open, client)
		return asked.prompt, nil
	}
	return asked.prompt, client.Close()
}

// drop ends the logins that are open, some of them at a time.
func (a *agentOf) drop() error {
	next := make(chan *ipc.Client)
	var all sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		all.Go(func() {
			for client := range next {
				_, err := client.Do(context.Background(), ipc.CloseSession, ipc.End)
				errs[i] = errors.Join(errs[i], err, client.Close())
			}
		})
	}
	for _, client := range a.open {
		next <- client
	}
	close(next)
	all.Wait()
	a.open = nil
	return errors.Join(errs...)
}

// knowing is a conversation that knows the password, and notes when it was asked.
type knowing struct {
	password string
	began    time.Time
	prompt   time.Duration
}

func (k *knowing) Prompt(context.Context, bool, []byte) ([]byte, error) {
	if k.prompt == 0 {
		k.prompt = time.Since(k.began)
	}
	return []byte(k.password), nil
}

func (k *knowing) Info([]byte)  {}
func (k *knowing) Error([]byte) {}

// ownCPU is what this process has used of the processors.
func ownCPU() time.Duration {
	var usage syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
