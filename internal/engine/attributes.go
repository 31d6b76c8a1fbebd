package engine

import (
	"context"
	"errors"
	"fmt"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"github.com/pawl-ci/pawl/workflows"
)

// EnsureSearchAttributes makes the search attributes of run workflows known to a namespace; without them no run
// could start.
func EnsureSearchAttributes(ctx context.Context, c client.Client, namespace string) error {
	known, err := c.OperatorService().ListSearchAttributes(ctx, &operatorservice.ListSearchAttributesRequest{Namespace: namespace})
	if err != nil {
		return fmt.Errorf("list search attributes: %w", err)
	}
	missing := map[string]enumspb.IndexedValueType{}
	for name, kind := range searchAttributes() {
		if _, found := known.GetCustomAttributes()[name]; !found {
			missing[name] = kind
		}
	}
	if len(missing) == 0 {
		return nil
	}
	_, err = c.OperatorService().AddSearchAttributes(ctx, &operatorservice.AddSearchAttributesRequest{
		Namespace: namespace, SearchAttributes: missing,
	})
	var exists *serviceerror.AlreadyExists
	if err != nil && !errors.As(err, &exists) {
		return fmt.Errorf("add search attributes: %w", err)
	}
	return nil
}

func searchAttributes() map[string]enumspb.IndexedValueType {
	const keyword = enumspb.INDEXED_VALUE_TYPE_KEYWORD
	return map[string]enumspb.IndexedValueType{
		workflows.AttributeRepository: keyword,
		workflows.AttributeWorkflow:   keyword,
		workflows.AttributeEvent:      keyword,
		workflows.AttributeBranch:     keyword,
		workflows.AttributeActor:      keyword,
		workflows.AttributeConclusion: keyword,
		workflows.AttributeRunNumber:  enumspb.INDEXED_VALUE_TYPE_INT,
	}
}
