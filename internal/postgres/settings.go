package postgres

import "strconv"

// settings of the server, given at each start so that they follow this program's
// version and not the time when the cluster was made.
func (c *Cluster) settings() map[string]string {
	s := map[string]string{
		"listen_addresses":        host,
		"port":                    strconv.Itoa(c.port),
		"unix_socket_directories": "", // nobody but TCP clients on this machine
		"max_connections":         strconv.Itoa(MaxConnections),
		"shared_buffers":          "256MB",

		// A commit that was answered is on disk: the product promises that no crash
		// loses a run.
		"fsync":              "on",
		"synchronous_commit": "on",

		// Short queries on a local disk.
		"jit":              "off",
		"random_page_cost": "1.1",

		// Nobody replicates from this cluster.
		"wal_level":       "minimal",
		"max_wal_senders": "0",

		// Queue tables turn over quickly.
		"autovacuum_naptime": "15s",

		"timezone":        "UTC",
		"log_timezone":    "UTC",
		"log_line_prefix": "%m [%p] %u@%d ",
		"log_checkpoints": "off",
	}
	if c.opt.Volatile {
		s["fsync"] = "off"
		s["full_page_writes"] = "off"
	}
	return s
}
