package apiserver_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/apiserver/openapi"
)

// loadOurs reads our own description. For tests it is closed: a field of a reply that it does not have is an error.
var loadOurs = sync.OnceValues(func() (routers.Router, error) {
	raw, err := openapi.Document()
	if err != nil {
		return nil, err
	}
	doc, err := openapi3.NewLoader().LoadFromData(raw)
	if err != nil {
		return nil, err
	}
	asked := requestSchemas(doc)
	for name, schema := range doc.Components.Schemas {
		if !asked["#/components/schemas/"+name] { // fields of a request that nobody knows are ignored
			closeSchema(schema)
		}
	}
	// In OpenAPI a parameter cannot hold slashes; the router has to be told.
	const contents = "/repos/{owner}/{repo}/contents/"
	doc.Paths.Set(contents+"{path:.*}", doc.Paths.Value(contents+"{path}"))
	doc.Paths.Delete(contents + "{path}")
	doc.Security = nil // who may call is tested elsewhere
	return gorillamux.NewRouter(doc)
})

// requestSchemas are those of request bodies.
func requestSchemas(doc *openapi3.T) map[string]bool {
	asked := map[string]bool{}
	for _, item := range doc.Paths.Map() {
		for _, o := range item.Operations() {
			if o.RequestBody == nil {
				continue
			}
			for _, media := range o.RequestBody.Value.Content {
				if media.Schema != nil {
					asked[media.Schema.Ref] = true
				}
			}
		}
	}
	return asked
}

func closeSchema(s *openapi3.SchemaRef) {
	if s == nil || s.Value == nil || s.Ref != "" {
		return
	}
	if len(s.Value.Properties) > 0 && s.Value.AdditionalProperties.Has == nil && s.Value.AdditionalProperties.Schema == nil {
		no := false
		s.Value.AdditionalProperties.Has = &no
	}
	for _, p := range s.Value.Properties {
		closeSchema(p)
	}
	closeSchema(s.Value.Items)
}

// checkAgainstOurs validates a reply against our own description, and the request too if it was accepted.
func checkAgainstOurs(t testing.TB, a reply, body any) {
	t.Helper()
	require.NoError(t, oursError(t, a, body), "%s %s: %s", a.Request.Method, a.Request.URL, a.body)
}

func oursError(t testing.TB, a reply, body any) error {
	router, err := loadOurs()
	if err != nil {
		return err
	}
	req := a.Request.Clone(context.Background())
	if req.Method == http.MethodHead {
		req.Method = http.MethodGet
	}
	req.Body = io.NopCloser(bytes.NewReader(nil))
	if body != nil {
		req.Body = io.NopCloser(encode(t, body))
	}
	route, params, err := router.FindRoute(req)
	if err != nil {
		if a.StatusCode == http.StatusNotFound || a.StatusCode == http.StatusMethodNotAllowed {
			return nil // neither has the server
		}
		return fmt.Errorf("not in our description: %w", err)
	}
	input := &openapi3filter.RequestValidationInput{Request: req, PathParams: params, Route: route}
	if a.StatusCode < 300 && isJSON(req.Header) {
		if err := openapi3filter.ValidateRequest(context.Background(), input); err != nil {
			return fmt.Errorf("an accepted request: %w", err)
		}
	}
	if a.Request.Method == http.MethodHead || a.StatusCode == http.StatusNotModified {
		return nil
	}
	return openapi3filter.ValidateResponse(context.Background(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: input, Status: a.StatusCode, Header: a.Header, Body: io.NopCloser(bytes.NewReader(a.body)),
		Options: &openapi3filter.Options{ExcludeResponseBody: !isJSON(a.Header)},
	})
}

func isJSON(h http.Header) bool {
	kind := h.Get("Content-Type")
	return kind == "" || strings.HasPrefix(kind, "application/json")
}

// TestEveryRouteIsDescribed compares the routes of the server with those of the description.
func TestEveryRouteIsDescribed(t *testing.T) {
	operations, err := openapi.Operations()
	require.NoError(t, err)
	described := map[string]bool{}
	for _, o := range operations {
		described[o.Method+" "+o.Path] = true
	}
	for _, route := range newRig(t).server.Routes() {
		path, ofTheAPI := strings.CutPrefix(strings.ReplaceAll(route.Path, ":.*}", "}"), "/api/v1")
		if name := route.Method + " " + path; ofTheAPI {
			assert.True(t, described[name], "%s is not described", name)
			delete(described, name)
		}
	}
	assert.Empty(t, described, "described, and not there")
}

func TestOurDescriptionIsChecked(t *testing.T) {
	answer := func(status int, body string) reply {
		req, err := http.NewRequest(http.MethodGet, "/api/v1/version", nil)
		require.NoError(t, err)
		header := http.Header{"Content-Type": {"application/json;charset=utf-8"}}
		return reply{Response: &http.Response{StatusCode: status, Header: header, Request: req}, t: t, body: []byte(body)}
	}
	require.NoError(t, oursError(t, answer(200, `{"version":"1","pawl_version":"2"}`), nil))
	for _, wrong := range []reply{
		answer(200, `{"version":"1"}`), answer(200, `{"version":1,"pawl_version":"2"}`),
		answer(200, `{"version":"1","pawl_version":"2","more":3}`), answer(201, `{"version":"1","pawl_version":"2"}`),
		answer(404, `{"wrong":"shape"}`),
	} {
		require.Error(t, oursError(t, wrong, nil), "%s", wrong.body)
	}
	unknown := answer(200, `{}`)
	unknown.Request.URL.Path = "/api/v1/nothing"
	require.Error(t, oursError(t, unknown, nil))
}

func TestTheDescriptionIsServed(t *testing.T) {
	r := newRig(t)
	out := r.anonymous().do("GET", "/openapi.json", nil).wants(http.StatusOK)
	require.Equal(t, "3.0.3", out["openapi"])
	page := r.anonymous().raw("GET", "/api/swagger", nil)
	page.wants(http.StatusOK)
	require.Contains(t, string(page.body), "listRepoRuns")
}
