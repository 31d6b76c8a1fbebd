package apiserver

// viewRequest is the body of a view poll (rest-api.md §9).
type viewRequest struct {
	LogCursors []viewCursor `json:"logCursors"`
}

// viewCursor says how many lines of a step the client has. Steps are counted from 0, "Set up job" among them.
type viewCursor struct {
	Step     int    `json:"step"`
	Cursor   *int64 `json:"cursor"`
	Expanded bool   `json:"expanded"`
}

func (c viewCursor) at() int64 {
	if c.Cursor == nil {
		return 0
	}
	return *c.Cursor
}

// viewReply answers a view poll.
type viewReply struct {
	Artifacts []any `json:"artifacts"`
	State     struct {
		Run        viewRun `json:"run"`
		CurrentJob struct {
			Title  string     `json:"title"`
			Detail string     `json:"detail"`
			Steps  []viewStep `json:"steps"`
		} `json:"currentJob"`
	} `json:"state"`
	Logs struct {
		StepsLog []viewStepLog `json:"stepsLog"`
	} `json:"logs"`
}

type viewRun struct {
	RepoID         int64         `json:"repoId"`
	Link           string        `json:"link"`
	ViewLink       string        `json:"viewLink"`
	Index          int64         `json:"index"`
	Title          string        `json:"title"`
	Status         string        `json:"status"`
	CanCancel      bool          `json:"canCancel"`
	CanApprove     bool          `json:"canApprove"`
	CanRerun       bool          `json:"canRerun"`
	CanRerunFailed bool          `json:"canRerunFailed"`
	Done           bool          `json:"done"`
	WorkflowID     string        `json:"workflowID"`
	IsSchedule     bool          `json:"isSchedule"`
	RunAttempt     int           `json:"runAttempt"`
	Attempts       []viewAttempt `json:"attempts"`
	Jobs           []viewJob     `json:"jobs"`
	Commit         viewCommit    `json:"commit"`
	Duration       string        `json:"duration"`
	TriggeredAt    int64         `json:"triggeredAt"`
	TriggerEvent   string        `json:"triggerEvent"`
}

type viewAttempt struct {
	Attempt     int    `json:"attempt"`
	Link        string `json:"link"`
	Status      string `json:"status"`
	Done        bool   `json:"done"`
	Current     bool   `json:"current"` // the one that is shown
	Latest      bool   `json:"latest"`
	TriggeredAt int64  `json:"triggeredAt"`
}

type viewJob struct {
	ID               int64    `json:"id"`
	Link             string   `json:"link"`
	JobID            string   `json:"jobId"` // its key in the workflow file
	Name             string   `json:"name"`
	Status           string   `json:"status"`
	CanRerun         bool     `json:"canRerun"`
	Duration         string   `json:"duration"`
	Needs            []string `json:"needs"`
	ParentJobID      int64    `json:"parentJobID"`
	IsReusableCaller bool     `json:"isReusableCaller"`
	CallUses         string   `json:"callUses"`
}

type viewCommit struct {
	ShortSHA string `json:"shortSHA"`
	Link     string `json:"link"`
	Pusher   struct {
		DisplayName string `json:"displayName"`
		Link        string `json:"link"`
	} `json:"pusher"`
	Branch struct {
		Name      string `json:"name"`
		Link      string `json:"link"`
		IsDeleted bool   `json:"isDeleted"`
	} `json:"branch"`
}

type viewStep struct {
	Summary  string `json:"summary"`
	Duration string `json:"duration"`
	Status   string `json:"status"`
}

// viewStepLog is what is new of a step. Cursor is the one that was sent and the number of lines.
type viewStepLog struct {
	Step    int        `json:"step"`
	Cursor  int64      `json:"cursor"`
	Lines   []viewLine `json:"lines"`
	Started int64      `json:"started"`
}

type viewLine struct {
	Index     int64   `json:"index"` // from 1
	Message   string  `json:"message"`
	Timestamp float64 `json:"timestamp"` // seconds
}
