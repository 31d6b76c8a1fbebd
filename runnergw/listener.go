package runnergw

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pawl-ci/pawl/db"
)

const (
	// listenCheck is how often a silent connection is asked whether it is still there.
	listenCheck   = 20 * time.Second
	listenBackoff = 5 * time.Second
)

// listen hears of offers and of changed runners until ctx ends. listening is closed when it does so for the first
// time.
func (g *Gateway) listen(ctx context.Context, listening chan<- struct{}) {
	pause := backoff{first: 100 * time.Millisecond, most: listenBackoff}
	for ctx.Err() == nil {
		err := g.listenOnce(ctx, func() {
			pause.reset()
			if listening != nil {
				close(listening)
				listening = nil
			}
		})
		if ctx.Err() != nil {
			return
		}
		g.log.Warn("connection for notifications lost", "error", err)
		pause.wait(ctx)
	}
}

// listenOnce has a connection of its own, because one that waits for notifications is of no use for anything else.
func (g *Gateway) listenOnce(ctx context.Context, started func()) error {
	conn, err := g.connectListener(ctx)
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = conn.Close(ctx)
	}()
	started()
	// Whatever was sent until now, nobody has heard.
	g.auth.forgetAll()
	g.labels.forgetMatches()
	g.dispatch.wakeAll()
	for {
		note, err := waitForNotification(ctx, conn)
		if err != nil {
			return err
		}
		if note != nil {
			g.notified(ctx, note)
		}
	}
}

func (g *Gateway) connectListener(ctx context.Context) (*pgx.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, queryLimit)
	defer cancel()
	conn, err := pgx.ConnectConfig(ctx, g.db.Pool.Config().ConnConfig.Copy())
	if err != nil {
		return nil, err
	}
	if _, err := conn.Exec(ctx, "LISTEN "+db.OffersChannel+"; LISTEN "+db.RunnersChannel); err != nil {
		_ = conn.Close(ctx)
		return nil, err
	}
	return conn, nil
}

// waitForNotification returns nil when nothing came for a while but the connection still works.
func waitForNotification(ctx context.Context, conn *pgx.Conn) (*pgconn.Notification, error) {
	waiting, cancel := context.WithTimeout(ctx, listenCheck)
	note, err := conn.WaitForNotification(waiting)
	cancel()
	if err == nil || ctx.Err() != nil || waiting.Err() == nil {
		return note, err
	}
	ctx, cancel = context.WithTimeout(ctx, queryLimit)
	defer cancel()
	return nil, conn.Ping(ctx)
}

func (g *Gateway) notified(ctx context.Context, note *pgconn.Notification) {
	var err error
	if note.Channel == db.RunnersChannel {
		err = g.runnerChanged(note.Payload)
	} else {
		err = g.offersMade(ctx, note.Payload)
	}
	if err != nil {
		g.log.Warn("notification not understood", "channel", note.Channel, "error", err)
		g.dispatch.wakeAll()
	}
}

func (g *Gateway) runnerChanged(payload string) error {
	id, err := uuid.Parse(payload)
	if err != nil {
		return fmt.Errorf("runner: %w", err)
	}
	g.auth.forget(id)
	g.dispatch.changed(id)
	return nil
}

func (g *Gateway) offersMade(ctx context.Context, payload string) error {
	var notices []db.OfferNotice
	if err := json.Unmarshal([]byte(payload), &notices); err != nil {
		return fmt.Errorf("offers: %w", err)
	}
	for _, n := range notices {
		if err := g.wakeFor(ctx, n); err != nil {
			return err
		}
	}
	return nil
}

// wakeFor wakes as many polls as there are offers that fit them.
func (g *Gateway) wakeFor(ctx context.Context, n db.OfferNotice) error {
	ctx, cancel := context.WithTimeout(ctx, queryLimit)
	defer cancel()
	labels, err := g.labels.labels(ctx, n.LabelSetID)
	if err != nil {
		return err
	}
	g.dispatch.offer(&wakeup{notice: n, labels: labels}, n.Count)
	return nil
}
