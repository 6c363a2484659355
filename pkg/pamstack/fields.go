package pamstack

// Fields returns the fields of the line as libpam cuts them: the type first,
// then control, module and arguments as far as they are there. In /etc/pam.conf
// the service stands before them.
func (l *Line) Fields() []string {
	fields := tokens{l.Text}
	return fields.all()
}
