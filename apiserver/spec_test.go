package apiserver_test

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi2"
	"github.com/getkin/kin-openapi/openapi2conv"
	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
	"github.com/stretchr/testify/require"
)

// specJSON is Gitea's own description of its Actions API (Swagger 2).
//
//go:embed testdata/openapi-actions.json
var specJSON []byte

var loadSpec = sync.OnceValues(func() (routers.Router, error) {
	var old openapi2.T
	if err := json.Unmarshal(specJSON, &old); err != nil {
		return nil, err
	}
	old.Security = nil // who may call is tested elsewhere
	doc, err := openapi2conv.ToV3(&old)
	if err != nil {
		return nil, err
	}
	doc.Servers = openapi3.Servers{{URL: "/"}}
	for path, item := range doc.Paths.Map() {
		doc.Paths.Delete(path)
		doc.Paths.Set("/api/v1"+path, item)
	}
	// Swagger 2 cannot say that the field is null in a first attempt (rest-api.md §2.3).
	doc.Components.Schemas["ActionWorkflowRun"].Value.Properties["previous_attempt_url"].Value.Nullable = true
	return gorillamux.NewRouter(doc)
})

// checkAgainstSpec validates an answer, if the document knows its operation and status, and takes it down.
func checkAgainstSpec(t testing.TB, a reply, method, path string) {
	t.Helper()
	require.Less(t, a.StatusCode, 500, "%s %s: %s", method, path, a.body)
	known, err := checkReply(a, method, path)
	require.NoError(t, err, "%s %s: %s", method, path, a.body)
	if known != nil {
		known.note(a.StatusCode, "")
	}
}

// unlisted are answers that rest-api.md has and the document does not.
func unlisted(status int) bool { return status == http.StatusPartialContent || status >= 400 }

// checkReply validates an answer to a path below /api/v1. It returns nil for an operation that is Pawl's own.
func checkReply(a reply, method, path string) (*operation, error) {
	router, err := loadSpec()
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(context.Background(), method, "/api/v1"+path, nil)
	if err != nil {
		return nil, err
	}
	route, params, err := router.FindRoute(req)
	if err != nil || method == http.MethodHead {
		return nil, nil
	}
	known := &operation{method, strings.TrimPrefix(route.Path, "/api/v1")}
	status := route.Operation.Responses.Status(a.StatusCode)
	switch {
	case status == nil && unlisted(a.StatusCode):
		return known, nil
	case status == nil:
		return known, fmt.Errorf("status %d is not in the specification", a.StatusCode)
	case len(status.Value.Content) == 0:
		return known, nil
	}
	header := a.Header.Clone()
	if got := header.Get("Content-Type"); got != "application/json;charset=utf-8" {
		return known, fmt.Errorf("content type %q", got)
	}
	return known, openapi3filter.ValidateResponse(context.Background(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: req, PathParams: params, Route: route},
		Status:                 a.StatusCode, Header: header, Body: io.NopCloser(bytes.NewReader(a.body)),
	})
}

// A check that cannot fail proves nothing.
func TestSpecificationIsChecked(t *testing.T) {
	answer := func(status int, body string) reply {
		header := http.Header{"Content-Type": {"application/json;charset=utf-8"}}
		return reply{Response: &http.Response{StatusCode: status, Header: header}, t: t, body: []byte(body)}
	}
	const path = "/repos/a/b/actions/runs"
	check := func(a reply) error {
		known, err := checkReply(a, "GET", path)
		require.Equal(t, &operation{"GET", "/repos/{owner}/{repo}/actions/runs"}, known)
		return err
	}
	require.NoError(t, check(answer(200, `{"workflow_runs":[],"total_count":0}`)))
	require.Error(t, check(answer(200, `{"workflow_runs":[{"id":"1"}],"total_count":1}`)))
	require.Error(t, check(answer(200, `{"workflow_runs":[{"started_at":"today"}],"total_count":1}`)))
	require.Error(t, check(answer(207, `{}`)))
}
