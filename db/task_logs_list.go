package db

import (
	"context"
	"fmt"
)

// TaskLogs returns the counts of the logs of tasks, by task. Those that have none are missing.
func (d *DB) TaskLogs(ctx context.Context, tasks []int64) (map[int64]*TaskLog, error) {
	out := make(map[int64]*TaskLog, len(tasks))
	if len(tasks) == 0 {
		return out, nil
	}
	var logs []*TaskLog
	if err := d.NewSelect().Model(&logs).Where("task_id = ANY(?)", int64Array(tasks)).Scan(ctx); err != nil {
		return nil, fmt.Errorf("logs of tasks: %w", err)
	}
	for _, l := range logs {
		out[l.TaskID] = l
	}
	return out, nil
}
