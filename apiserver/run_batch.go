package apiserver

import (
	"net/http"
	"slices"
	"strconv"

	"github.com/pawl-ci/pawl/internal/fault"
)

// maxBatch is how many runs may be asked for at once.
const maxBatch = 100

// isBatch tells whether the query names the runs that it wants.
func (c *call) isBatch() bool { return c.values.Has("id") }

// batchRuns answers ?id=1&id=2 with those of the runs that are there, in the order of the ids; no other filter counts. It
// spares clients that wait for several runs a call for each.
func batchRuns(c *call) error {
	ids, err := c.batchIDs()
	if err != nil {
		return err
	}
	views, err := c.server.DB.RunsByID(c.ctx(), c.repo.ID, ids)
	if err != nil {
		return err
	}
	shown, err := c.showRuns(views)
	if err != nil {
		return err
	}
	total := len(shown)
	c.w.Header().Set("X-Total-Count", strconv.Itoa(total))
	return c.json(http.StatusOK, apiRunList{apiListed{TotalCount: &total}, shown})
}

// batchIDs leaves out what nothing can have as its id.
func (c *call) batchIDs() ([]int64, error) {
	var ids []int64
	for _, text := range c.values["id"] {
		id, err := strconv.ParseInt(text, 10, 64)
		if err != nil || id <= 0 || slices.Contains(ids, id) {
			continue
		}
		if ids = append(ids, id); len(ids) > maxBatch {
			return nil, fault.BadRequest("at most %d runs may be asked for at once", maxBatch)
		}
	}
	return ids, nil
}
