package apiserver

import (
	"net/http"
	"slices"

	"github.com/pawl-ci/pawl/apiserver/openapi"
)

// getOpenAPI answers with the description of this API.
func getOpenAPI(c *call) error {
	document, err := openapi.Document()
	if err != nil {
		return err
	}
	writeJSON(c.w, http.StatusOK, append(slices.Clip(document), '\n')) // clipped, because it is everybody's
	return nil
}

// apiPage shows the description to people; errors name it.
func apiPage(c *call) error {
	operations, err := openapi.Operations()
	if err != nil {
		return err
	}
	return c.page200("api.html", operations)
}
