package ipc_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/pamhelper/pamhelper/pkg/ipc"
	"github.com/pamhelper/pamhelper/pkg/ipc/ipctest"
)

// form is a conversation whose answer is known before it is asked for, such as
// the password field of a web page.
type form struct{ password string }

func (f form) Prompt(_ context.Context, echo bool, text []byte) ([]byte, error) {
	if echo {
		return nil, fmt.Errorf("not a question for a password: %s", ipc.Printable(text))
	}
	return []byte(f.password), nil
}

func (f form) Info(text []byte)  { fmt.Println(ipc.Printable(text)) }
func (f form) Error(text []byte) { fmt.Println(ipc.Printable(text)) }

// logIn logs alice in and runs one command as her. Its output goes to out, a pipe
// or a file: a terminal of one's own is not for the processes of somebody else.
func logIn(ctx context.Context, launcher ipc.Launcher, conversation ipc.Conversation, out *os.File) error {
	client, err := ipc.Dial(ctx, launcher, ipc.Options{Conversation: conversation})
	if err != nil {
		return err
	}
	defer client.Close() // the worker undoes what End did not

	login := ipc.Login{Service: "sshd", User: "alice", Rhost: "192.0.2.7"}
	_, err = client.Login(ctx, login, ipc.Authenticate, ipc.Account)
	if errors.Is(err, ipc.NewAuthtokReqd) {
		_, err = client.ChangePassword(ctx)
	}
	if err != nil {
		return err
	}
	if _, err := client.Do(ctx, ipc.Credentials, ipc.OpenSession); err != nil {
		return err
	}
	process, err := client.Start(ctx, ipc.Command{Line: "id", Stdout: out, Stderr: out})
	if err != nil {
		return err
	}
	exit, err := process.Wait(ctx)
	if err != nil {
		return err
	}
	fmt.Println(client.User(), "is done, status", exit.Status)
	_, err = client.Do(ctx, ipc.CloseSession, ipc.End)
	return err
}

// A login through a worker. A program on a real machine has
// ipc.Exec{Path: "/usr/local/sbin/pamhelper"} in the place of the helper in memory.
func Example() {
	helper := &ipctest.Helper{
		Steps: map[ipc.Step]ipctest.Handler{
			ipc.Authenticate: func(c *ipctest.Call) ipc.Code {
				if string(c.Prompt(false, "Password: ")) != "secret" {
					return ipc.AuthErr
				}
				return ipc.Success
			},
		},
		Run: func(p *ipctest.Process) ipc.Exit {
			fmt.Fprintln(p.Stdout, p.Command.Line, "of", p.Login.User)
			return ipc.Exit{}
		},
	}
	out, err := os.CreateTemp("", "example")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.Remove(out.Name())
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()

	fmt.Println(logIn(ctx, helper, form{"secret"}, out))
	written, _ := os.ReadFile(out.Name())
	fmt.Print(string(written))
	err = logIn(ctx, helper, form{"guess"}, out)
	fmt.Println(err, errors.Is(err, ipc.AuthErr))
	// Output:
	// alice is done, status 0
	// <nil>
	// id of alice
	// authenticate: PAM_AUTH_ERR: PAM_AUTH_ERR true
}
