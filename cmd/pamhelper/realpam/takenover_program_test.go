package realpam_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"

	"github.com/pamhelper/pamhelper/pkg/ipc"
)

// takenOver makes this test binary an agent that was taken over: the argument
// in front of the name of a table and of the scene as JSON. A broker gives its
// agent no environment to say that with.
const takenOverArgument = "taken-over"

func init() {
	if len(os.Args) != 4 || os.Args[1] != takenOverArgument {
		return
	}
	said := json.NewEncoder(os.Stdout)
	a := &intruder{begins: func(name string) {
		said.Encode(outcome{Name: name, Begins: true})
		os.Stdin.Read(make([]byte, 1)) // it stands in the log
	}}
	if err := json.Unmarshal([]byte(os.Args[3]), &a.scene); err != nil {
		fmt.Fprintln(os.Stderr, "the scene:", err)
		os.Exit(1)
	}
	a.launch = a.launcher()
	a.attack(tables[os.Args[2]], func(o outcome) { said.Encode(o) })
	os.Exit(0)
}

// scene is what a taken-over agent knows.
type scene struct {
	Over    transport
	Socket  string // of the socket unit
	Setuid  string // id(1), setuid root
	Helper  int    // the process of root that starts workers
	User    string // has password
	Other   string // too
	Agent   string // the agent's own user
	Twin    string // another name for the agent's uid
	Toor    string // uid 0
	Wheel   string // the primary group 0
	Void    string // an empty password
	System  string // a uid below 1000
	Denied  string // denied by the policy
	Aged    string // has to change the password
	Service map[string]string
	Marker  string // a file that a script of root makes
	Records string // a process that has a record: its own directory
}

// outcome is how an attack ended, or that it begins.
type outcome struct {
	Name, Got string
	Begins    bool
}

// intruder is the taken-over agent.
type intruder struct {
	scene
	launch func() (net.Conn, error)
	begins func(name string) // the log says which attack it is from here on
	// debugging gets a debugging worker, which only its own starter can.
	debugging func() (net.Conn, error)
}

// attack tries all of a table that apply, one after the other: what stands in the
// log between two marks belongs to one of them.
func (a *intruder) attack(table []attack, said func(outcome)) {
	for _, attempt := range table {
		if !attempt.over(a.Over) {
			continue
		}
		a.begins(attempt.name)
		said(outcome{Name: attempt.name, Got: a.try(attempt)})
	}
	a.begins("")
}

// mark begins the lines between which the log of one attack is.
const mark = "====== "

func (a *intruder) try(attempt attack) (got string) {
	defer func() {
		if r := recover(); r != nil {
			got = fmt.Sprintf("panic: %v\n%s", r, stackOf())
		}
	}()
	return attempt.do(a)
}

// transport is how the agent gets its workers.
type transport string

const (
	overExec   transport = "exec"
	overBroker transport = "broker"
	overSocket transport = "socket"
)

func (a *intruder) launcher() func() (net.Conn, error) {
	if a.Over == overSocket {
		return func() (net.Conn, error) { return ipc.Unix{Path: a.Socket}.Launch(context.Background()) }
	}
	a.Helper = os.Getppid()
	return func() (net.Conn, error) {
		broker, err := ipc.OpenBroker()
		if err != nil {
			return nil, err
		}
		return broker.Launch(context.Background())
	}
}

func execLauncher(helper string, log io.Writer, args ...string) func() (net.Conn, error) {
	return func() (net.Conn, error) {
		return ipc.Exec{Path: helper, Args: args, Log: log}.Launch(context.Background())
	}
}

func stackOf() []byte {
	buf := make([]byte, 16<<10)
	return buf[:runtime.Stack(buf, false)]
}
