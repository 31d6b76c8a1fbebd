# Pawl. `make` prints the targets.
SHELL      := /bin/sh
GO         ?= go
VERSION    ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
BIN        := bin
LDFLAGS    := -s -w -X main.version=$(VERSION)
GOFILES    := $(shell find . \( -name "*.go" -o -name "*.sql" -o -name "*.html" \) -not -path "./tools/*" 2>/dev/null) go.mod go.sum
PACKAGES   := ./...

.DEFAULT_GOAL := help
.PHONY: help build demo dev test test-short race e2e replay record-histories bench bench-lists seed lint generate conformance verify migrate up down clean

help: ## Print the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: $(BIN)/pawl $(BIN)/temporald $(BIN)/gitea-runner ## Build bin/pawl, bin/temporald and bin/gitea-runner

$(BIN)/pawl: $(GOFILES)
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $@ ./cmd/pawl

$(BIN)/temporald: $(wildcard tools/temporald/*.go) tools/temporald/go.mod tools/temporald/go.sum
	CGO_ENABLED=0 $(GO) build -C tools/temporald -trimpath -ldflags '-s -w' -o ../../$@ .

$(BIN)/gitea-runner: tools/runner/go.mod tools/runner/go.sum
	CGO_ENABLED=0 $(GO) build -C tools/runner -trimpath -ldflags "-X gitea.com/gitea/runner/internal/pkg/ver.version=v1.0.8" -o ../../$@ gitea.com/gitea/runner

demo: build ## Set up everything, run a sample workflow end to end, show the result
	$(BIN)/pawl demo

dev: build ## Start the whole stack on this machine and keep it up
	$(BIN)/pawl dev

test: build ## Run all tests; starts the Postgres and Temporal they need
	$(GO) test -timeout 20m $(PACKAGES)

test-short: ## Run the tests that need no server
	$(GO) test -short -timeout 5m $(PACKAGES)

race: build ## Run all tests with the race detector
	$(GO) test -race -timeout 40m $(PACKAGES)

e2e: build ## Run the end-to-end tests with the official runner
	$(GO) test -count=1 -timeout 20m ./e2e/...

replay: ## Replay recorded histories against today's workflows
	$(GO) test -count=1 -run '^TestReplay$$' ./workflows

record-histories: build ## Record the histories that replay checks
	PAWL_RECORD_HISTORIES=$(CURDIR)/workflows/testdata $(GO) test -count=1 -timeout 20m ./e2e/...

bench: build ## Measure with the load tool (CILOAD=path of its sources)
	./tools/bench/run

bench-lists: build ## Measure lists of a million runs; needs 8 GB and some minutes
	./tools/bench/run-lists

seed: ## Fill the migrated, empty database of PAWL_DATABASE_URL with RUNS runs (default 1000000)
	$(GO) run ./tools/seed $(if $(RUNS),--runs $(RUNS))

lint: ## vet, staticcheck, import rules, gofmt, govulncheck where its data can be reached
	./tools/lint/run

generate: ## Bring generated files up to date
	$(GO) generate ./...

conformance: ## Write the table of operations in docs/compatibility.md from what the tests call
	$(GO) test ./apiserver -update

verify: generate ## Fail when generated files or go.mod have drifted
	$(GO) mod tidy -diff
	$(GO) mod verify
	git diff --exit-code

migrate: $(BIN)/pawl ## Migrate the database of PAWL_DATABASE_URL
	$(BIN)/pawl migrate

up: ## Start the compose stack
	docker compose -f docker-compose.temporal.yml up -d --build

down: ## Stop the compose stack
	docker compose -f docker-compose.temporal.yml down

clean: ## Remove what was built
	rm -rf $(BIN)
