package observability

// RequestBuckets are the histogram bounds in seconds for what a caller waits for: REST requests, runner calls,
// Temporal calls. They are finest where the targets lie, between 5 and 150 ms.
func RequestBuckets() []float64 {
	return []float64{.001, .0025, .005, .01, .02, .04, .06, .1, .15, .25, .5, 1, 2.5, 5, 10, 30, 60}
}

// WaitBuckets are the histogram bounds in seconds for what may wait for a free runner: from a hand-over at once to a
// queue of a day.
func WaitBuckets() []float64 {
	return []float64{.005, .01, .02, .04, .06, .1, .15, .25, .5, 1, 2.5, 5, 15, 60, 300, 900, 3600, 14400, 86400}
}
