//go:build !amd64 && !arm64

package confine

// filterFor is nil: nobody has written down the calls of this machine.
func filterFor(int, bool) *filter { return nil }
