package devstack

import "context"

// Config tells a part where everything is.
type Config struct {
	DataDir           string
	HTTPAddress       string // host:port for the server to listen on
	URL               string // of the server, without a slash at the end, as runners and users of this machine reach it
	WorkerAddress     string // host:port for health and metrics of a worker in a process of its own
	DatabaseURL       string // of Pawl's own database
	TemporalAddress   string // host:port
	TemporalNamespace string
	TemporalUIURL     string
}

// Credentials are what a new stack makes for its user, in the clear. They are kept in
// the data directory.
type Credentials struct {
	AdminUser               string `json:"admin_user"`
	AdminToken              string `json:"admin_token"`
	RunnerRegistrationToken string `json:"runner_registration_token"` // instance scope
}

// Part is a server or worker that runs in this process.
type Part interface {
	// Stop drains the part. When the context ends it gives up what is left, at once.
	Stop(ctx context.Context) error
	// Failed delivers the reason when the part has ended by itself, at most once. Nil
	// means that it never does.
	Failed() <-chan error
}

// Child is a server or worker as a process of its own, of this same executable.
type Child struct {
	Args []string
	// Env is added to ours; secrets belong here, because every user can read Args.
	Env []string
	// ReadyURL answers 200 when the part does its work. Empty means once started.
	ReadyURL string
}

// Parts are what the stack is made of besides PostgreSQL, Temporal and the runner. The
// context of each call bounds that call only. All are required, but of StartX and XChild
// only those of the chosen mode.
type Parts struct {
	// Migrate brings the database, which exists, to the newest schema.
	Migrate func(ctx context.Context, cfg Config) error
	// Bootstrap makes sure that there are an administrator with a token and a
	// registration token, and returns them: the previous ones, if they still hold.
	// It runs after Migrate and needs neither server nor Temporal.
	Bootstrap func(ctx context.Context, cfg Config, previous Credentials) (Credentials, error)
	// StartServer and StartWorker return when the part does its work.
	StartServer, StartWorker func(ctx context.Context, cfg Config) (Part, error)
	// ServerChild and WorkerChild describe the processes of a split stack.
	ServerChild, WorkerChild func(cfg Config) Child
}
