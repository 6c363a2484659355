package broker

import "time"

// bucket lets through so many in a second on average, and so many at once.
type bucket struct {
	perSecond, atOnce float64
	left              float64
	at                time.Time // when left was right
}

// take takes one, or returns how long it is until there is one.
func (b *bucket) take(now time.Time) (wait time.Duration) {
	b.left = min(b.atOnce, b.left+now.Sub(b.at).Seconds()*b.perSecond)
	b.at = now
	if b.left < 1 {
		return time.Duration((1 - b.left) / b.perSecond * float64(time.Second))
	}
	b.left--
	return 0
}
