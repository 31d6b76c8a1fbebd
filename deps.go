//go:build deps

package deps

import (
	_ "connectrpc.com/connect"
	_ "gitea.dev/actions-proto-go/runner/v1/runnerv1connect"
	_ "github.com/alecthomas/kong"
	_ "github.com/fergusstrange/embedded-postgres"
	_ "github.com/google/uuid"
	_ "github.com/hashicorp/golang-lru/v2"
	_ "github.com/gorilla/mux"
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "github.com/klauspost/compress/zstd"
	_ "github.com/prometheus/client_golang/prometheus"
	_ "github.com/prometheus/client_golang/prometheus/promhttp"
	_ "github.com/stretchr/testify/require"
	_ "github.com/uptrace/bun/dialect/pgdialect"
	_ "go.temporal.io/api/serviceerror"
	_ "go.temporal.io/sdk/client"
	_ "go.temporal.io/sdk/testsuite"
	_ "go.temporal.io/sdk/worker"
	_ "go.uber.org/goleak"
	_ "go.yaml.in/yaml/v3"
	_ "golang.org/x/crypto/argon2"
	_ "golang.org/x/sync/errgroup"
	_ "pgregory.net/rapid"
	_ "code.gitea.io/sdk/gitea"
	_ "golang.org/x/term"
	_ "github.com/getkin/kin-openapi/openapi2conv"
	_ "github.com/getkin/kin-openapi/openapi3filter"
	_ "google.golang.org/protobuf/proto"
	_ "github.com/uptrace/bun"
)
