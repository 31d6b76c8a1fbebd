package openapi_test

import (
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/apiserver/openapi"
)

func TestDocumentIsValid(t *testing.T) {
	raw, err := openapi.Document()
	require.NoError(t, err)
	doc, err := openapi3.NewLoader().LoadFromData(raw)
	require.NoError(t, err)
	require.NoError(t, doc.Validate(t.Context()))
	ids := map[string]string{}
	for path, item := range doc.Paths.Map() {
		for method, operation := range item.Operations() {
			require.NotEmpty(t, operation.Summary, "%s %s", method, path)
			require.NotEmpty(t, operation.Tags, "%s %s", method, path)
			require.Empty(t, ids[operation.OperationID], "%s is there twice", operation.OperationID)
			ids[operation.OperationID] = path
		}
	}
}
