package runnergw

import (
	"context"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/pawl-ci/pawl/db"
)

const (
	// matchTTL is how long the sets that a list of labels can serve are believed to be complete, should the
	// notification of the first offer with a new set be lost.
	matchTTL          = 2 * time.Second
	maxCachedSets     = 20_000
	maxCachedMatchers = 2_000
)

// labelIndex knows which label sets a runner can serve, without a query per poll: runners of a fleet mostly have the
// same labels.
type labelIndex struct {
	db      *db.DB
	sets    *cache[int64, []string]
	within  *cache[string, within]
	epoch   atomic.Int64 // grows with every set that was not known
	loading singleflight.Group
}

// within are the sets that a list of labels can serve, as known in an epoch.
type within struct {
	epoch int64
	sets  []int64
}

func newLabelIndex(d Deps) *labelIndex {
	return &labelIndex{
		db:     d.DB,
		sets:   newCache[int64, []string](d.Now, maxCachedSets, 0),
		within: newCache[string, within](d.Now, maxCachedMatchers, matchTTL),
	}
}

// labels returns the labels of a set; they never change.
func (x *labelIndex) labels(ctx context.Context, set int64) ([]string, error) {
	if labels, ok := x.sets.get(set); ok {
		return labels, nil
	}
	labels, err := x.db.LabelSet(ctx, set)
	if err != nil {
		return nil, err
	}
	x.sets.put(set, labels)
	x.forgetMatches() // it may be new: what was found before does not have it
	return labels, nil
}

// forgetMatches makes the next poll of each runner look for the sets it can serve.
func (x *labelIndex) forgetMatches() { x.epoch.Add(1) }

// served returns the sets that a runner with these labels can serve.
func (x *labelIndex) served(ctx context.Context, labels []string) ([]int64, error) {
	key := labelsKey(labels)
	epoch := x.epoch.Load()
	if known, ok := x.within.get(key); ok && known.epoch == epoch {
		return known.sets, nil
	}
	sets, err, _ := x.loading.Do(key, func() (any, error) {
		// Others share this answer, so it must not end with the poll that happened to ask first.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), queryLimit)
		defer cancel()
		return x.load(ctx, key, labels)
	})
	if err != nil {
		return nil, err
	}
	return sets.([]int64), nil
}

func (x *labelIndex) load(ctx context.Context, key string, labels []string) ([]int64, error) {
	epoch := x.epoch.Load()
	sets, err := x.db.LabelSetsWithin(ctx, labels)
	if err != nil {
		return nil, err
	}
	x.within.put(key, within{epoch: epoch, sets: sets})
	return sets, nil
}

// labelsKey is the same for the same labels in any order. Labels hold no NUL: sanitised before they are stored.
func labelsKey(labels []string) string {
	sorted := slices.Clone(labels)
	slices.Sort(sorted)
	return strings.Join(sorted, "\x00")
}
