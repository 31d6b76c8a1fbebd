package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/pawl-ci/pawl/internal/client"
)

// pollEvery is how often the state of the run is asked for; logs come live.
const pollEvery = 200 * time.Millisecond

// follow prints the log of each job as it comes, until the run is done.
func (d *demo) follow(ctx context.Context) (client.Run, error) {
	var tails sync.WaitGroup
	defer tails.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // before the wait, or tails would follow logs whose run nobody follows any more
	followed := map[int64]bool{}
	for {
		jobs, err := d.user.Jobs(ctx, d.repo, d.run)
		if err != nil {
			return client.Run{}, err
		}
		for _, j := range jobs {
			if !followed[j.ID] && (j.Status == "in_progress" || j.Done()) {
				followed[j.ID] = true
				d.say("%s began on %s", j.Name, j.RunnerName)
				tails.Go(func() { d.tail(ctx, j) })
			}
		}
		run, err := d.user.Run(ctx, d.repo, d.run)
		if err != nil {
			return run, err
		}
		if run.Done() {
			tails.Wait()
			return run, nil
		}
		select {
		case <-ctx.Done():
			return run, ctx.Err()
		case <-time.After(pollEvery):
		}
	}
}

// tail prints the log of one job live.
func (d *demo) tail(ctx context.Context, j client.Job) {
	err := d.user.StreamLog(ctx, d.repo, j.ID, 0, func(e client.Event) bool {
		if e.Name == "end" {
			return false
		}
		for _, line := range logLines(e.Data) {
			d.say("%-8s| %s", j.Name, line)
		}
		return true
	})
	if err != nil && ctx.Err() == nil {
		d.say("%-8s| the log broke off: %v", j.Name, err)
	}
}

// logLines takes the text out of an event.
func logLines(data string) []string {
	var row struct {
		Line    string `json:"line"`
		Message string `json:"message"`
	}
	if json.Unmarshal([]byte(data), &row) != nil {
		return strings.Split(data, "\n")
	}
	return []string{row.Line + row.Message}
}

// result prints what became of the jobs, and where to look further.
func (d *demo) result(ctx context.Context, run client.Run) error {
	jobs, err := d.user.Jobs(ctx, d.repo, d.run)
	if err != nil {
		return err
	}
	fmt.Fprintln(d.Out)
	w := tabwriter.NewWriter(d.Out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "JOB\tRESULT\tTOOK\tRUNNER")
	for _, j := range jobs {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", j.Name, d.paint(j.Conclusion), j.StoppedAt.Sub(j.StartedAt).Round(10*time.Millisecond), j.RunnerName)
	}
	fmt.Fprintf(w, "run %d\t%s\t%s\t\n", run.ID, d.paint(run.Conclusion), run.StoppedAt.Sub(run.StartedAt).Round(10*time.Millisecond))
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(d.Out, "\n  page         %s\n  Temporal UI  %s\n  API          %s\n  metrics      %s\n",
		run.HTMLURL, run.TemporalUI, run.URL, d.MetricsURL)
	return nil
}

// paint marks a conclusion by colour.
func (d *demo) paint(conclusion string) string {
	if !d.Color {
		return conclusion
	}
	if conclusion == "success" {
		return "\x1b[32m" + conclusion + "\x1b[0m"
	}
	return "\x1b[31m" + conclusion + "\x1b[0m"
}
