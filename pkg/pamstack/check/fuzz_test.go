package check

import "testing"

// Whatever stands in a service's file, it is checked to an end.
func FuzzAnyFileIsChecked(f *testing.F) {
	for _, entry := range page() {
		for _, e := range entry.Examples {
			f.Add(bytesOf.Replace(e.text))
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		m := newSystem(t, debian)
		m.file("/etc/pam.d/example", text)
		if len(text) > 4096 {
			t.Skip("the larger, the slower")
		}
		for _, found := range m.run() {
			if found.ID == "" || found.File == "" || found.Problem == "" || found.Effect == "" || found.Remedy == "" {
				t.Errorf("got %+v, want all of it filled in", found)
			}
		}
	})
}
