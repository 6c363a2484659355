package auth

// questions are what is still to be asked where the method of the attempt cannot
// ask: it was a part of the login, and keyboard-interactive comes behind it.
type questions struct {
	about string // for the log
	told  string // a client that cannot be asked ends here, and nothing else could say why
}

func (q *questions) Error() string { return "questions about " + q.about }

const needsKeyboard = ": that needs the authentication method\nkeyboard-interactive. A client without it is refused.\n"

var (
	secondFactor     = &questions{about: "the second factor"}
	messageOfTheDay  = &questions{"the message of the day", "There is a message to acknowledge before you can log in" + needsKeyboard}
	passwordToChange = &questions{"an expired password", "Your password has expired. It has to be changed before you can log in" + needsKeyboard}
)
