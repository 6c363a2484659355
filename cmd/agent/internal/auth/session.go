package auth

import (
	"context"

	"github.com/pamhelper/pamhelper/pkg/ipc"
)

// Open opens the session. Questions of its modules cannot be asked any more; what
// they say is for the first terminal, and returned.
func (l *Login) Open(ctx context.Context) (messages string, err error) {
	err = l.noted(l.client.Do(ctx, ipc.Credentials, ipc.OpenSession))
	l.opened = err == nil
	return l.talk.take(), err
}

// Client is the login's worker, once it is accepted.
func (l *Login) Client() *ipc.Client { return l.client }

// Permits are what the client may do.
func (l *Login) Permits() Permits { return l.factor.permits }

// Close undoes the login and waits for the end of all its workers.
func (l *Login) Close(ctx context.Context) error {
	var err error
	if l.client != nil {
		steps := []ipc.Step{ipc.End}
		if l.opened { // End would close it too, without a code of its own for the log
			steps = []ipc.Step{ipc.CloseSession, ipc.End}
		}
		err = l.noted(l.client.Do(ctx, steps...))
		l.retire()
	}
	l.retired.Wait()
	return err
}
