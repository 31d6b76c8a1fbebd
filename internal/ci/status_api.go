package ci

import "fmt"

// API returns the two words the REST API shows for s (rest-api.md §2.2). The conclusion is empty until s
// is terminal; both are empty for StatusUnknown.
func (s Status) API() (status, conclusion string) {
	switch s {
	case StatusWaiting:
		return "queued", ""
	case StatusBlocked:
		return "waiting", ""
	case StatusRunning, StatusCancelling:
		return "in_progress", ""
	case StatusSuccess, StatusFailure, StatusCancelled, StatusSkipped:
		return "completed", s.String()
	}
	return "", ""
}

// ParseStatusFilter returns the states that the `status` query of a list selects (rest-api.md §2.1). A word
// outside that list is an error whose text is the API's own: `invalid status X`.
//
// `in_progress` also selects cancelling, because the API shows both under that word.
func ParseStatusFilter(word string) ([]Status, error) {
	switch word {
	case "pending", "waiting", "requested", "action_required":
		return []Status{StatusBlocked}, nil
	case "queued":
		return []Status{StatusWaiting}, nil
	case "in_progress":
		return []Status{StatusRunning, StatusCancelling}, nil
	case "completed":
		return []Status{StatusSuccess, StatusFailure, StatusSkipped, StatusCancelled}, nil
	case "success":
		return []Status{StatusSuccess}, nil
	case "failure":
		return []Status{StatusFailure}, nil
	case "skipped", "neutral":
		return []Status{StatusSkipped}, nil
	case "cancelled", "timed_out":
		return []Status{StatusCancelled}, nil
	}
	return nil, fmt.Errorf("invalid status %s", word)
}
