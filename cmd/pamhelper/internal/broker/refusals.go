package broker

import (
	"log"
	"time"
)

// refusals logs what an agent was refused, at most a line in refusalEvery: it can ask
// faster than anybody reads.
type refusals struct {
	to      *log.Logger
	next    time.Time
	dropped int
}

const refusalEvery = time.Second

func (r *refusals) log(line string) {
	now := time.Now()
	if now.Before(r.next) {
		r.dropped++
		return
	}
	if r.dropped > 0 {
		r.to.Printf("%d more requests of the agent were refused", r.dropped)
	}
	r.to.Print(line)
	r.next, r.dropped = now.Add(refusalEvery), 0
}
