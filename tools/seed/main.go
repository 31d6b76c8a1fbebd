// Command seed fills a migrated database that has no runs with as many as are asked for, and five times as many jobs. It is
// for measuring (docs/performance.md), never for an installation that anybody uses.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"time"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/db/dbseed"
)

func main() {
	url := flag.String("database-url", os.Getenv("PAWL_DATABASE_URL"), "a superuser's URL of the database")
	runs := flag.Int64("runs", 1_000_000, "how many runs to make")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := seed(ctx, *url, *runs); err != nil {
		fmt.Fprintln(os.Stderr, "seed:", err)
		os.Exit(1)
	}
}

func seed(ctx context.Context, url string, runs int64) error {
	if url == "" || runs <= 0 {
		return errors.New("needs --database-url and a positive number of --runs")
	}
	d, err := db.Open(ctx, url, db.Options{MaxConns: db.MinConns})
	if err != nil {
		return err
	}
	defer d.Close()
	began := time.Now()
	return dbseed.Fill(ctx, d.Pool, runs, func(part string) {
		fmt.Printf("%6.0f s  %s\n", time.Since(began).Seconds(), part)
	})
}
