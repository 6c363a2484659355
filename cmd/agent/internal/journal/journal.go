// Package journal writes what becomes of one connection into the log, a line for
// each event. What it writes of the peer is bounded in number and in length, and
// slog quotes it.
package journal

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"log/slog"
	"sync"
	"time"
)

const (
	maxLines       = 200 // of one connection at once, those of Always apart
	linesPerSecond = 10  // that it may have beyond those
	maxText        = 256 // of a text that the peer chose, in bytes
)

// Journal is the log of one connection. Its lines have the same login id.
type Journal struct {
	// ID is in every line: 16 digits and letters.
	ID string

	log *slog.Logger

	mu      sync.Mutex
	room    float64 // for lines
	at      time.Time
	leftOut int // lines, since the last that was written
}

// New begins the journal of a connection from an address.
func New(log *slog.Logger, address string, port int) *Journal {
	var random [8]byte
	rand.Read(random[:])
	id := hex.EncodeToString(random[:])
	return &Journal{ID: id, log: log.With("login", id, "addr", address, "port", port), room: maxLines, at: time.Now()}
}

// Info writes a line. Behind the message come names and values in turn.
func (j *Journal) Info(message string, values ...any) { j.write(slog.LevelInfo, message, values) }

// Warn writes a line about what somebody should look at.
func (j *Journal) Warn(message string, values ...any) { j.write(slog.LevelWarn, message, values) }

// Error writes a line about what went wrong here, not with the peer. Like those of
// Always, it is written however many there were.
func (j *Journal) Error(message string, values ...any) { j.always(slog.LevelError, message, values) }

// Always writes a line however many there were: one that must not be missed, and
// that the peer cannot cause many of.
func (j *Journal) Always(message string, values ...any) { j.always(slog.LevelInfo, message, values) }

func (j *Journal) always(level slog.Level, message string, values []any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.line(level, message, values)
}

func (j *Journal) write(level slog.Level, message string, values []any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	now := time.Now()
	j.room = min(maxLines, j.room+now.Sub(j.at).Seconds()*linesPerSecond)
	j.at = now
	if j.room < 1 {
		j.leftOut++
		return
	}
	j.room--
	j.line(level, message, values)
}

// line writes one, and before it how many were left out.
func (j *Journal) line(level slog.Level, message string, values []any) {
	if j.leftOut > 0 {
		j.log.Warn("too many lines for one connection", "left_out", j.leftOut)
		j.leftOut = 0
	}
	j.log.Log(context.Background(), level, message, values...)
}

// Text is a text of the peer's choice, cut to what a line may have of it.
func Text(chosen string) string {
	if len(chosen) > maxText {
		return chosen[:maxText] + "..."
	}
	return chosen
}
