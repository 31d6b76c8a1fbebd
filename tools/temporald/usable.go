package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"
)

const (
	usableLimit = 60 * time.Second
	usablePoll  = 10 * time.Millisecond
)

// waitUsable returns once the frontend, a history shard and visibility with our search
// attributes have answered. A start has then nothing left to wait for.
func waitUsable(ctx context.Context, address, namespace string) error {
	ctx, cancel := context.WithTimeout(ctx, usableLimit)
	defer cancel()
	c, err := client.NewLazyClient(client.Options{HostPort: address, Namespace: namespace, Logger: silentLogger{}})
	if err != nil {
		return fmt.Errorf("create client: %w", err)
	}
	defer c.Close()
	for {
		err := probe(ctx, c, namespace)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w; last answer: %w", ctx.Err(), err)
		case <-time.After(usablePoll):
		}
	}
}

func probe(ctx context.Context, c client.Client, namespace string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	_, err := c.DescribeWorkflowExecution(ctx, "temporald-ready", "")
	var missing *serviceerror.NotFound
	if !errors.As(err, &missing) {
		return fmt.Errorf("ask history: %w", err)
	}
	_, err = c.CountWorkflow(ctx, &workflowservice.CountWorkflowExecutionsRequest{
		Namespace: namespace, Query: "PawlRepository = 'none' AND PawlRunNumber = 0",
	})
	if err != nil {
		return fmt.Errorf("ask visibility: %w", err)
	}
	return nil
}

// silentLogger drops the SDK's complaints about a server that is still starting.
type silentLogger struct{}

var _ sdklog.Logger = silentLogger{}

func (silentLogger) Debug(string, ...any) {}
func (silentLogger) Info(string, ...any)  {}
func (silentLogger) Warn(string, ...any)  {}
func (silentLogger) Error(string, ...any) {}
