package policy

func (f *File) validate() error {
	if len(f.Policy.Service) == 0 {
		return &Problem{Name: f.Name, Text: `no service; a policy names those that are served, such as: service { name: "sshd" }`}
	}
	return nil
}
