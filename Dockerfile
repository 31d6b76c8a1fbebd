# syntax=docker/dockerfile:1
#
# docker build --target pawl   .   the server, the worker and the tools, which are one program
# docker build --target runner .   the official runner, unmodified, for docker-compose.temporal.yml

ARG GO_VERSION=1.26.8
ARG DEBIAN=bookworm

FROM golang:${GO_VERSION}-${DEBIAN} AS modules
ENV CGO_ENABLED=0 GOFLAGS=-trimpath GOTOOLCHAIN=local
WORKDIR /src

FROM modules AS build-pawl
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY . .
ARG VERSION=dev
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    go build -ldflags "-s -w -X main.version=${VERSION}" -o /out/pawl ./cmd/pawl

FROM modules AS build-runner
COPY tools/runner/ ./
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    go build -ldflags "-s -w" -o /out/gitea-runner gitea.com/gitea/runner

# The runner starts job containers through the docker socket that it is given.
FROM debian:${DEBIAN}-slim AS runner
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates git tini \
    && rm -rf /var/lib/apt/lists/*
COPY --from=build-runner /out/gitea-runner /usr/local/bin/gitea-runner
COPY deploy/runner/start.sh /usr/local/bin/start-runner
COPY deploy/runner/config.yaml /etc/runner/config.yaml
WORKDIR /data
VOLUME /data
ENTRYPOINT ["tini", "--", "start-runner"]

# git serves the repositories; curl asks for the health of the server.
FROM debian:${DEBIAN}-slim AS pawl
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates curl git tini tzdata \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --user-group --create-home --home-dir /var/lib/pawl pawl
COPY --from=build-pawl /out/pawl /usr/local/bin/pawl
ENV PAWL_DATA_DIR=/var/lib/pawl PAWL_LOG_FORMAT=json
USER 10001:10001
WORKDIR /var/lib/pawl
VOLUME /var/lib/pawl
# 3000: REST, git, runners, metrics and health of a server; 3001: metrics and health of a worker.
EXPOSE 3000 3001
STOPSIGNAL SIGTERM
ENTRYPOINT ["tini", "--", "pawl"]
CMD ["server"]
