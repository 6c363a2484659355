package confine

import (
	"context"
	"log/slog"
)

// Report says how far the process is confined. What it does not mention is set
// up on every kernel: no new privileges, no capabilities, no core dumps.
type Report struct {
	// LandlockABI is the version of the kernel's Landlock, 0 where there is none.
	LandlockABI int
	// Seccomp is whether system calls are limited.
	Seccomp bool
	// BoundingSetKept is true where the capabilities' bounding set could not be
	// emptied, because the process had no CAP_SETPCAP. Without new privileges it
	// gives nothing.
	BoundingSetKept bool
	// Lacks are the protections that this kernel does not have.
	Lacks []Lack
}

// Lack is a protection that the kernel does not have.
type Lack struct {
	// Protection is "landlock" or "seccomp".
	Protection string
	// Open is what is not prevented by it.
	Open string
	// Needs is what the kernel would have to have.
	Needs string
	// ClosedBy is the other protection that prevents it all the same, or empty.
	ClosedBy string
}

// Open are the lacks that no other protection makes up for.
func (r Report) Open() []Lack {
	var open []Lack
	for _, lack := range r.Lacks {
		if lack.ClosedBy == "" {
			open = append(open, lack)
		}
	}
	return open
}

// log writes a line for each lack, and one of summary.
func (r Report) log(c Config) {
	if c.Log == nil {
		return
	}
	for _, lack := range r.Lacks {
		level := slog.LevelWarn
		attrs := []slog.Attr{slog.String("protection", lack.Protection), slog.String("open", lack.Open), slog.String("needs", lack.Needs)}
		if lack.ClosedBy != "" {
			level = slog.LevelInfo
			attrs = append(attrs, slog.String("closed_by", lack.ClosedBy))
		}
		c.Log.LogAttrs(context.Background(), level, "the kernel lacks a protection", attrs...)
	}
	c.Log.LogAttrs(context.Background(), slog.LevelInfo, "confined",
		slog.Bool("new_privileges", false),
		slog.String("capabilities", "none"),
		slog.Bool("core_dumps", false),
		slog.Int("landlock_abi", r.LandlockABI),
		slog.Bool("seccomp", r.Seccomp),
		slog.Any("read_dirs", c.ReadDirs),
		slog.Any("socket_dirs", c.SocketDirs),
		slog.Int("open", len(r.Open())))
}
