package libpam

import "testing"

func TestLayoutHasTwoPlacesInTheHandle(t *testing.T) {
	locked(t)
	layout, err := FindLayout()
	if err != nil {
		t.Fatal(err)
	}
	// A handle of Linux-PAM is of some hundred bytes.
	for name, at := range map[string]int{"service": layout.Service, "user": layout.User} {
		if at <= 0 || at >= 4096 || at%8 != 0 {
			t.Errorf("%s: got offset %d, want one of a pointer in the handle", name, at)
		}
	}
	if layout.Service == layout.User {
		t.Errorf("got %d for both, want two", layout.User)
	}
}
