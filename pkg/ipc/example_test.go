package ipc_test

import (
	"context"
	"errors"
	"fmt"
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

// logIn logs alice in, opens her session and ends it again.
func logIn(ctx context.Context, launcher ipc.Launcher, conversation ipc.Conversation) error {
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
	fmt.Println("logged in as", client.User())
	_, err = client.Do(ctx, ipc.CloseSession, ipc.End)
	return err
}

// A login through a worker. A program on a real machine has
// ipc.Exec{Path: "/usr/libexec/pamhelper"} in the place of the helper in memory.
func Example() {
	helper := &ipctest.Helper{Steps: map[ipc.Step]ipctest.Handler{
		ipc.Authenticate: func(c *ipctest.Call) ipc.Code {
			if string(c.Prompt(false, "Password: ")) != "secret" {
				return ipc.AuthErr
			}
			return ipc.Success
		},
	}}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()

	fmt.Println(logIn(ctx, helper, form{"secret"}))
	err := logIn(ctx, helper, form{"guess"})
	fmt.Println(err, errors.Is(err, ipc.AuthErr))
	// Output:
	// logged in as alice
	// <nil>
	// authenticate: PAM_AUTH_ERR: PAM_AUTH_ERR true
}
