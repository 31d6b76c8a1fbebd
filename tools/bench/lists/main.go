// Command lists asks a server whose database was filled by tools/seed for all of its lists and single things at a steady
// rate, and prints how long each kind of question took. The rate is kept however slow the answers are, and time counts
// from when a question was due, so that nothing slow hides what waits behind it.
package main

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"slices"
	"sync"
	"text/tabwriter"
	"time"
)

func main() {
	server := flag.String("url", "", "address of the server")
	token := flag.String("token", os.Getenv("PAWL_TOKEN"), "token of a site administrator")
	rate := flag.Int("rate", 50, "questions a second")
	length := flag.Duration("for", 6*time.Minute, "how long to ask; at 50 a second each kind of question comes 19 times a minute")
	warmUp := flag.Duration("warm-up", 90*time.Second, "how long to ask before it counts: the server begins what the seed left open meanwhile")
	limit := flag.Duration("limit", 20*time.Millisecond, "the p99 that no kind of question may exceed; 0 for none")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := measure(ctx, &client{url: *server, token: *token}, *rate, *warmUp, *length, *limit); err != nil {
		fmt.Fprintln(os.Stderr, "lists:", err)
		os.Exit(1)
	}
}

func measure(ctx context.Context, c *client, rate int, warmUp, length, limit time.Duration) error {
	questions, err := c.questions(ctx)
	if err != nil {
		return err
	}
	var f figures
	var open sync.WaitGroup
	began, random := time.Now(), rand.New(rand.NewPCG(1, 2))
	ticker := time.NewTicker(time.Second / time.Duration(rate))
	defer ticker.Stop()
	// Each kind is asked equally often, in turn, so that the rare ones have figures too.
	for i := 0; time.Since(began) < warmUp+length && ctx.Err() == nil; i++ {
		due := <-ticker.C
		q := questions[i%len(questions)]
		path := q.path(random)
		open.Go(func() {
			err := c.get(ctx, path, q.as, nil)
			if due.Sub(began) > warmUp {
				f.add(q.name, time.Since(due), err)
			}
		})
	}
	open.Wait()
	return f.print(limit)
}

// figures are what was measured.
type figures struct {
	mu     sync.Mutex
	took   map[string][]time.Duration
	failed map[string]int
	first  error
}

func (f *figures) add(name string, took time.Duration, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.took == nil {
		f.took, f.failed = map[string][]time.Duration{}, map[string]int{}
	}
	f.took[name] = append(f.took[name], took)
	if err != nil {
		f.failed[name]++
		f.first = err
	}
}

// print writes a line for each kind, the slowest first, and one for all. It returns an error when a kind failed, or took
// too long.
func (f *figures) print(limit time.Duration) error {
	var names []string
	var all []time.Duration
	for name, took := range f.took {
		slices.Sort(took)
		names, all = append(names, name), append(all, took...)
	}
	slices.Sort(all)
	slices.SortFunc(names, func(a, b string) int {
		return int(percentile(f.took[b], 99) - percentile(f.took[a], 99))
	})
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "question\tp50 ms\tp99 ms\tmax ms\tasked\tfailed")
	line := func(name string, took []time.Duration, failed int) {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%d\n", name, ms(percentile(took, 50)), ms(percentile(took, 99)), ms(percentile(took, 100)), len(took), failed)
	}
	slow, failed := 0, 0
	for _, name := range names {
		line(name, f.took[name], f.failed[name])
		failed += f.failed[name]
		if limit > 0 && percentile(f.took[name], 99) > limit {
			slow++
		}
	}
	line("all", all, failed)
	if err := w.Flush(); err != nil {
		return err
	}
	if failed > 0 || slow > 0 {
		return fmt.Errorf("%d kinds of questions took longer than %s at p99, %d questions failed (%v)", slow, limit, failed, f.first)
	}
	return nil
}

// percentile is one of sorted durations.
func percentile(sorted []time.Duration, p int) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[max((len(sorted)*p+99)/100-1, 0)]
}

func ms(d time.Duration) string { return fmt.Sprintf("%.1f", float64(d)/float64(time.Millisecond)) }
