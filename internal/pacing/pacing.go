// Package pacing says when things are done again: at an interval (Every), rarer and rarer (Pacer), or for a share of the
// time only (Sharing).
package pacing

import "time"

// Pacer makes repetitions of the same thing rarer. What is repeated here are signals of workflows: each takes a place in a
// history, of which there is a limited number, and workers may be away for long. It remembers when items of type T may be
// repeated, and only those of the last list that it saw, so that its memory is bounded by the longest list. It is not safe
// for concurrent use.
type Pacer[T any] struct {
	first, most time.Duration
	id          func(T) int64
	next        map[int64]repetition
}

type repetition struct {
	at    time.Time
	pause time.Duration
}

// New makes a Pacer whose pauses double from first to most. What id tells apart is paced apart.
func New[T any](first, most time.Duration, id func(T) int64) *Pacer[T] {
	return &Pacer[T]{first: first, most: most, id: id, next: map[int64]repetition{}}
}

// Due returns the items that were never done or whose pause is over, in their order, and forgets all that are not
// among items.
func (p *Pacer[T]) Due(now time.Time, items []T) []T {
	known := make(map[int64]repetition, len(p.next))
	var due []T
	for _, item := range items {
		id := p.id(item)
		r, seen := p.next[id]
		if seen {
			known[id] = r
		}
		if !now.Before(r.at) {
			due = append(due, item)
		}
	}
	p.next = known
	return due
}

// Done begins the next, longer pause of an item, and tells whether it is the item's first. What failed is not done: it
// stays due.
func (p *Pacer[T]) Done(now time.Time, item T) (first bool) {
	id := p.id(item)
	r, seen := p.next[id]
	r.pause = min(max(2*r.pause, p.first), p.most)
	r.at = now.Add(r.pause)
	p.next[id] = r
	return !seen
}
