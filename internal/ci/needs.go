package ci

import (
	"fmt"
	"slices"
	"strings"
)

// KeyNeeds is one job of a workflow file, as far as the needs graph is concerned.
type KeyNeeds struct {
	Key   string
	Needs []string
}

// NeedError says what is wrong with the needs of one job. Key is the job to blame, Need the entry of its
// list; Cycle holds the keys of a cycle, from Key back to Key.
type NeedError struct {
	Key, Need string
	Cycle     []string
	Message   string
}

// Error returns the message; it names the keys.
func (e NeedError) Error() string { return e.Message }

// CheckNeeds returns everything that is wrong with a needs graph, in the order of the list: needs that name
// no job, jobs that need themselves, and cycles (one error for each). Such a file is refused
// (execution-semantics.md §3, "Do: reject").
func CheckNeeds(jobs []KeyNeeds) []NeedError {
	g := newNeedsGraph(jobs)
	var found []NeedError
	for i := range jobs {
		found = append(found, g.badEntries(i)...)
	}
	for i := range jobs {
		if path := g.findCycle(i, nil); path != nil {
			found = append(found, cycleError(path))
		}
	}
	return found
}

// needsGraph walks the jobs depth first to find cycles.
type needsGraph struct {
	jobs  []KeyNeeds
	index map[string]int
	state []visitState
}

type visitState int8

const (
	unseen visitState = iota
	onPath
	finished
)

func newNeedsGraph(jobs []KeyNeeds) *needsGraph {
	g := &needsGraph{jobs: jobs, index: make(map[string]int, len(jobs)), state: make([]visitState, len(jobs))}
	for i, j := range jobs {
		g.index[j.Key] = i
	}
	return g
}

// badEntries finds the entries of job i that can never hold, whatever the rest of the graph looks like.
func (g *needsGraph) badEntries(i int) []NeedError {
	var found []NeedError
	key := g.jobs[i].Key
	for _, need := range g.jobs[i].Needs {
		if _, known := g.index[need]; !known {
			found = append(found, NeedError{Key: key, Need: need, Message: fmt.Sprintf("job %q needs %q, which is not a job of this workflow", key, need)})
		} else if need == key {
			found = append(found, NeedError{Key: key, Need: need, Cycle: []string{key, key}, Message: fmt.Sprintf("job %q needs itself", key)})
		}
	}
	return found
}

// findCycle walks everything that job i needs and returns the first cycle on the way, as keys from a job
// back to itself. Each job is walked once over all calls.
func (g *needsGraph) findCycle(i int, path []string) []string {
	key := g.jobs[i].Key
	switch g.state[i] {
	case finished:
		return nil
	case onPath:
		return append(slices.Clone(path[slices.Index(path, key):]), key)
	}
	g.state[i] = onPath
	defer func() { g.state[i] = finished }()
	path = append(path, key)
	var cycle []string
	for _, need := range g.jobs[i].Needs {
		n, known := g.index[need]
		if !known || n == i {
			continue // reported by badEntries
		}
		if found := g.findCycle(n, path); cycle == nil {
			cycle = found
		}
	}
	return cycle
}

func cycleError(path []string) NeedError {
	return NeedError{
		Key: path[0], Need: path[1], Cycle: path,
		Message: "needs form a cycle: " + strings.Join(path, " -> "),
	}
}
