package workflowfile

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/internal/ci"
)

const body = "\njobs: {a: {runs-on: x, steps: [{run: x}]}}\n"

func TestTriggerForms(t *testing.T) {
	for src, want := range map[string][]string{
		"on: push":                            {"push"},
		"on: [push, pull_request, push]":      {"push", "pull_request"},
		"on: {push: , workflow_dispatch: }":   {"push", "workflow_dispatch"},
		"on: {brand_new: {x: [y]}, push: {}}": {"brand_new", "push"},
		"'on': push":                          {"push"},
	} {
		w := parse(t, src+body)
		var names []string
		for _, e := range w.On.Events {
			names = append(names, e.Name)
			require.True(t, w.On.Has(e.Name))
		}
		require.Equal(t, want, names, src)
		require.False(t, w.On.Has("issues"))
		require.Equal(t, w.On.Has("push"), w.On.Push != nil)
		require.Equal(t, w.On.Has("workflow_dispatch"), w.On.Dispatch != nil)
	}
}

func TestTriggersOfTheSample(t *testing.T) {
	w := parse(t, sample)
	require.Equal(t, &PushTrigger{Position{4, 3}, ci.PushFilter{
		Branches: []string{"main", "release/**"}, Tags: []string{"v*"}, PathsIgnore: []string{"docs/**"},
	}}, w.On.Push)
	require.Equal(t, Event{Position: Position{8, 3}, Name: "pull_request", Types: []string{"opened"}, Filter: ci.PushFilter{Branches: []string{"main"}}}, w.On.Events[1])
	require.Equal(t, []Schedule{{Position{12, 13}, "0 3 * * *", "Europe/Berlin"}}, w.On.Events[2].Schedules)
	require.Equal(t, []Input{
		{Position: Position{16, 7}, Name: "target", Type: "choice", Description: "where to", Default: "dev", HasDefault: true, Options: []string{"dev", "prod"}},
		{Position: Position{21, 7}, Name: "dry", Type: "boolean", Default: "true", HasDefault: true},
		{Position: Position{24, 7}, Name: "count", Type: "number"},
		{Position: Position{25, 7}, Name: "note", Type: "string"},
	}, w.On.Dispatch.Inputs)
}

func TestMatchesPush(t *testing.T) {
	w := parse(t, sample)
	require.True(t, w.MatchesPush("refs/heads/main", []string{"main.go"}))
	require.False(t, w.MatchesPush("refs/heads/main", []string{"docs/x"}))
	require.False(t, w.MatchesPush("refs/heads/dev", []string{"main.go"}))
	require.True(t, w.MatchesPush("refs/tags/v1", nil))
	require.False(t, w.MatchesPush("refs/tags/x1", nil))
	require.False(t, parse(t, "on: issues"+body).MatchesPush("refs/heads/main", nil))
	require.True(t, parse(t, "on: [push]"+body).MatchesPush("refs/heads/main", nil))
}

func TestWorkflowCallIsWrittenForTheRunner(t *testing.T) {
	src := "on: {workflow_call: {inputs: {a: {type: string, default: 5, extra: x}, b: }, outputs: {o: {value: v}}, secrets: {s: {required: true}}}}" + body
	f := readPayload(t, plan(t, src, PlanContext{}).Jobs[0].Payload)
	require.Equal(t, map[string]any{
		"inputs":  map[string]any{"a": map[string]any{"default": 5, "type": "string"}, "b": map[string]any{}},
		"outputs": map[string]any{"o": map[string]any{"value": "v"}}, "secrets": map[string]any{"s": map[string]any{"required": true}},
	}, f.On["workflow_call"])
}

func TestResolveInputs(t *testing.T) {
	w := parse(t, `on:
  workflow_dispatch:
    inputs:
      text: {default: hi}
      must: {required: true}
      flag: {type: boolean}
      yes: {type: boolean, default: true}
      n: {type: number, default: 1.5}
      none: {type: number}
      pick: {type: choice, options: [a, b], default: b}
      env: {type: environment}
`+body)
	values, texts, err := w.ResolveInputs(map[string]string{"MUST": "x", "flag": "true", "unknown": "dropped", "n": "3"})
	require.NoError(t, err)
	require.Equal(t, map[string]any{"text": "hi", "must": "x", "flag": true, "yes": true, "n": 3.0, "none": nil, "pick": "b", "env": ""}, values)
	require.Equal(t, map[string]string{"text": "hi", "must": "x", "flag": "true", "yes": "true", "n": "3", "none": "", "pick": "b", "env": ""}, texts)

	values, texts, err = w.ResolveInputs(map[string]string{"must": "x", "text": "", "pick": ""})
	require.NoError(t, err)
	require.Equal(t, "", values["text"], "an empty text was given, so the default is not used")
	require.Equal(t, false, values["flag"])
	require.Equal(t, "false", texts["flag"])

	for _, tc := range []struct {
		given map[string]string
		input string
		want  string
	}{
		{nil, "must", `input "must" is required`},
		{map[string]string{"must": ""}, "must", `input "must" is required`},
		{map[string]string{"must": "x", "flag": "TRUE"}, "flag", `input "flag" must be true or false, not "TRUE"`},
		{map[string]string{"must": "x", "n": "many"}, "n", `input "n" must be a number, not "many"`},
		{map[string]string{"must": "x", "n": "NaN"}, "n", `input "n" must be a number, not "NaN"`},
		{map[string]string{"must": "x", "pick": "c"}, "pick", `input "pick" must be one of a, b, not "c"`},
		{map[string]string{"must": strings.Repeat("ä", 65_536)}, "", "the inputs have 65536 characters; the limit is 65535"},
	} {
		_, _, err := w.ResolveInputs(tc.given)
		require.EqualError(t, err, tc.want)
		var fault *InputError
		require.ErrorAs(t, err, &fault)
		require.Equal(t, tc.input, fault.Input)
	}
	many := map[string]string{}
	for i := range 26 {
		many[itoa(i)] = ""
	}
	_, _, err = w.ResolveInputs(many)
	require.EqualError(t, err, "there are 26 inputs; the limit is 25")
	_, _, err = w.ResolveInputs(map[string]string{"must": strings.Repeat("ä", 65_535)})
	require.NoError(t, err)

	values, texts, err = parse(t, "on: push"+body).ResolveInputs(map[string]string{"a": "b"})
	require.NoError(t, err)
	require.Empty(t, values)
	require.Empty(t, texts)
}
