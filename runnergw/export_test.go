package runnergw

// ForgetTasks empties the gateway's memory of tasks.
func ForgetTasks(g *Gateway) { g.tasks.tasks.clear() }
