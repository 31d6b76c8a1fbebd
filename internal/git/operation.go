package git

import "net/http"

const (
	uploadPack  = "git-upload-pack"  // clone and fetch
	receivePack = "git-receive-pack" // push
)

// Operation is one of the four requests of git's smart HTTP protocol.
type Operation struct {
	service   string
	advertise bool // info/refs, which begins a conversation
}

// ParseOperation recognizes a request by its method, the path after "<repository>.git/" and the query
// parameter "service". Everything else, the dumb protocol among it, is [ErrNotFound], and the wrong method
// is [ErrMethod]. Call it before anything else: the answer says which permission the request needs.
func ParseOperation(method, suffix, service string) (Operation, error) {
	op, want := Operation{service: suffix}, http.MethodPost
	if suffix == "info/refs" {
		op, want = Operation{service: service, advertise: true}, http.MethodGet
	}
	if op.service != uploadPack && op.service != receivePack {
		return Operation{}, &NotFoundError{Kind: "endpoint", Name: suffix}
	}
	if method != want {
		return Operation{}, ErrMethod
	}
	return op, nil
}

// Write reports whether the operation belongs to a push and so needs write permission.
func (o Operation) Write() bool { return o.service == receivePack }

// path is the part after the repository.
func (o Operation) path() string {
	if o.advertise {
		return "info/refs"
	}
	return o.service
}

// method is the only one that the operation is asked with.
func (o Operation) method() string {
	if o.advertise {
		return http.MethodGet
	}
	return http.MethodPost
}
