package auth

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"golang.org/x/crypto/ssh"

	"github.com/pamhelper/pamhelper/cmd/agent/internal/identity"
	"github.com/pamhelper/pamhelper/cmd/agent/internal/journal"
	"github.com/pamhelper/pamhelper/pkg/ipc"
)

// Login is the one login of a connection. Its methods are called one at a time.
type Login struct {
	settings *Settings
	journal  *journal.Journal
	rhost    string
	ctx      context.Context       // ends with the time there is for logging in
	before   ssh.ServerPreAuthConn // to send banners

	talk         conversation
	factor       factor        // of the attempt; it stays behind a partial success
	partial      bool          // a factor has been proved, and the client may not change the user
	offered      ssh.PublicKey // the last one that the client has asked about; nil: none
	acknowledged bool
	client       *ipc.Client // nil: no worker
	accounted    bool        // account has said that the user may log in
	expired      bool        // and that the password has to be changed
	opened       bool        // the session is open
	retired      sync.WaitGroup
	failures     int // attempts that failed
}

// factor is who somebody is by a key or certificate. The zero value is who has
// none.
type factor struct {
	key         ssh.PublicKey
	certificate *ssh.Certificate
	who         identity.Identity
	permits     Permits
}

// New begins a login from a numeric address. ctx bounds it until the session is
// open.
func New(ctx context.Context, settings *Settings, journal *journal.Journal, rhost string) *Login {
	return &Login{settings: settings, journal: journal, rhost: rhost, ctx: ctx, factor: factor{permits: everything()}}
}

// fresh lets an attempt begin with nothing of the one before: the client may have
// named another user in between, unless a factor has been proved.
func (l *Login) fresh() {
	if l.partial {
		return
	}
	l.retire()
	l.talk = conversation{}
	l.factor = factor{permits: everything()}
	l.acknowledged = false
}

// attempt is what every way in does once the client has shown what it can without
// PAM. On a failure the worker is gone, and the next attempt has one of its own.
func (l *Login) attempt(user, method string) (*ssh.Permissions, error) {
	err := l.admit(user)
	var more *questions
	if errors.As(err, &more) {
		return nil, l.partly(user, method, more)
	}
	if err == nil {
		err = l.tell()
	}
	l.talk.challenge, l.talk.password = nil, nil
	if err != nil {
		l.failed(user, method, err)
		return nil, errDenied
	}
	l.succeeded(user, method)
	return &ssh.Permissions{CriticalOptions: l.factor.permits.options()}, nil
}

// admit takes the steps that are still to be taken.
func (l *Login) admit(user string) error {
	if l.client == nil && l.byPAM() {
		if err := l.authenticate(user); err != nil {
			return err
		}
	}
	if err := l.acknowledge(user); err != nil {
		return err
	}
	if l.client == nil {
		if err := l.begin(user, l.settings.PAM.ServiceName); err != nil {
			return err
		}
	}
	return l.account()
}

// byPAM says whether PAM has to prove who the user is.
func (l *Login) byPAM() bool { return l.factor.key == nil || l.settings.PAM.UsePAMAuth }

// authenticate is the proof by PAM. What modules said of a failure is not shown: it
// could tell who exists.
func (l *Login) authenticate(user string) error {
	service := l.settings.PAM.ServiceName
	if l.factor.key == nil {
		service = l.settings.PasswordService
	}
	steps := []ipc.Step{ipc.Authenticate}
	first := l.settings.PAM.AccountFirst && service == l.settings.PAM.ServiceName
	if first {
		steps = []ipc.Step{ipc.Account, ipc.Authenticate}
	}
	err := l.begin(user, service, steps...)
	if l.expired = first && errors.Is(err, ipc.NewAuthtokReqd); l.expired {
		err = nil // what account said, told behind the proof
	}
	if err != nil {
		l.talk.take()
		return ofOrder(err, service)
	}
	l.accounted = first
	return nil
}

// ofOrder says what to do where the helper wants other steps, or in another order:
// the configuration and the policy differ.
func ofOrder(err error, service string) error {
	var violation *ipc.ViolationError
	if !errors.As(err, &violation) || !strings.Contains(violation.Text, " is not permitted in phase ") {
		return err
	}
	return fmt.Errorf("%w; proof and account_first of the service %s have to be in the helper's policy what agent check prints for this configuration",
		err, service)
}

// begin gets a worker and begins the PAM transaction.
func (l *Login) begin(user, service string, steps ...ipc.Step) error {
	if !userName.MatchString(user) {
		return errNoName
	}
	variables, err := l.variables()
	if err != nil {
		return err
	}
	login := ipc.Login{Service: service, User: user, Rhost: l.rhost, Variables: variables, ID: l.journal.ID}
	client, results, err := ipc.DialLogin(l.ctx, l.settings.Launcher, ipc.Options{Conversation: &l.talk}, login, steps...)
	if client == nil {
		return &helperError{err}
	}
	l.client = client
	return l.noted(results, err)
}

// account asks whether the user may log in now, and has an expired password
// changed.
func (l *Login) account() error {
	if !l.accounted {
		err := l.noted(l.client.Do(l.ctx, ipc.Account))
		l.expired = errors.Is(err, ipc.NewAuthtokReqd)
		if err != nil && !l.expired {
			l.tell() // what modules say to somebody who has proved who they are
			// The service of passwords has the proof PAM, so this is not about that.
			return ofOrder(err, l.settings.PAM.ServiceName)
		}
		l.accounted = true
	}
	if !l.expired {
		return nil
	}
	if l.talk.challenge == nil {
		return passwordToChange
	}
	err := l.noted(l.client.Do(l.ctx, ipc.ChangePassword))
	if err == nil {
		l.expired = false
		l.journal.Info("password changed")
	}
	return err
}

// noted logs what PAM returned, also where the client has filled its part of the log.
func (l *Login) noted(results []ipc.Result, err error) error {
	for _, result := range results {
		if !result.Skipped {
			l.journal.Always("pam", "step", result.Step.String(), "code", result.Code.String(), "took", result.Duration)
		}
	}
	return err
}

// tell shows what modules have said and nobody has seen yet.
func (l *Login) tell() error {
	text := l.talk.take()
	switch {
	case strings.TrimSpace(text) == "":
		return nil
	case l.talk.challenge != nil:
		_, err := l.talk.challenge("", text, nil, nil)
		return err
	}
	l.banner(text)
	return nil
}

// banner shows a text to who logs in. Where that fails the connection is gone.
func (l *Login) banner(text string) {
	if l.before != nil {
		l.before.SendAuthBanner(text)
	}
}

// retire ends the worker. It is not waited for: how long its undoing takes is
// nothing that the client should see.
func (l *Login) retire() {
	l.accounted, l.expired = false, false
	if client := l.client; client != nil {
		l.client = nil
		l.retired.Go(func() { client.Close() })
	}
}
