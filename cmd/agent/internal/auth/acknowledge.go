package auth

import (
	"errors"
	"slices"
	"strings"

	"github.com/pamhelper/pamhelper/cmd/agent/internal/journal"
)

const acknowledgement = `Type "yes" to acknowledge this and log in: `

// acknowledge shows the message of the day and waits for a yes.
func (l *Login) acknowledge(user string) error {
	message := strings.TrimSpace(l.settings.Message.MessageOfTheDay)
	if message == "" || l.acknowledged {
		return nil
	}
	if role, exempt := l.exempt(); exempt {
		l.acknowledged = true
		l.journal.Info("message of the day left out", "user", journal.Text(user), "role", journal.Text(role))
		return nil
	}
	if l.talk.challenge == nil {
		return messageOfTheDay
	}
	// The message is a part of the question: ssh -q shows no instruction.
	question := "\n" + message + "\n" + acknowledgement
	for range MaxTries {
		answer, err := l.talk.ask(l.talk.take(), question, true)
		if err != nil {
			return err
		}
		if strings.EqualFold(strings.TrimSpace(string(answer)), "yes") {
			l.acknowledged = true
			l.journal.Info("message of the day acknowledged", "user", journal.Text(user))
			return nil
		}
	}
	return errors.New("the message of the day was not acknowledged")
}

// exempt says by which role the user need not acknowledge the message.
func (l *Login) exempt() (role string, exempt bool) {
	at := slices.IndexFunc(l.factor.who.Roles, func(role string) bool {
		return slices.Contains(l.settings.Message.MessageOfTheDayExemptRoles, role)
	})
	if at < 0 {
		return "", false
	}
	return l.factor.who.Roles[at], true
}
