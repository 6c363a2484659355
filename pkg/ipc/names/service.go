package names

// ForRoot says why a service is not for logins through a helper that is root, ""
// where nothing is known by its name.
func ForRoot(service string) string {
	switch service {
	case "su", "su-l", "runuser", "runuser-l", "chfn", "chsh":
		return "lets in everybody when it is asked by root, as the helper is"
	}
	return ""
}

// WithoutProof says why a module in the auth lines of a service, by the name of its
// file, takes their worth as a proof: it lets in for what the caller is, which is
// root here, or for where a login comes from. "" where nothing is known by its name.
func WithoutProof(module string) string {
	switch module {
	case "pam_rootok.so":
		return "lets in everybody for a caller that is root, as the helper is"
	case "pam_rhosts.so", "pam_rhosts_auth.so":
		return "believes the machine that a login comes from"
	case "pam_timestamp.so":
		return "lets in who was asked a short time ago"
	}
	return ""
}
