package trigger

// CloneJobs is the pure part of a rerun.
var CloneJobs = cloneJobs
