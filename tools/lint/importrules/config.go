package main

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"

	"go.yaml.in/yaml/v3"
)

// golangci is the part of the file that matters here; the rest belongs to golangci-lint.
type golangci struct {
	Linters struct {
		Settings struct {
			Depguard yaml.Node `yaml:"depguard"`
		} `yaml:"settings"`
	} `yaml:"linters"`
}

type depguard struct {
	Rules map[string]ruleConfig `yaml:"rules"`
}

type ruleConfig struct {
	ListMode string   `yaml:"list-mode"`
	Files    []string `yaml:"files"`
	Allow    []string `yaml:"allow"`
	Deny     []denial `yaml:"deny"`
}

type denial struct {
	Pkg  string `yaml:"pkg"`
	Desc string `yaml:"desc"`
}

// readRules returns the rules of the file, sorted by name.
func readRules(file string) ([]rule, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read rules: %w", err)
	}
	config, err := parseDepguard(content)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	var rules []rule
	for _, name := range slices.Sorted(maps.Keys(config.Rules)) {
		compiled, err := newRule(name, config.Rules[name])
		if err != nil {
			return nil, fmt.Errorf("%s: rule %s: %w", file, name, err)
		}
		rules = append(rules, compiled)
	}
	return rules, nil
}

// parseDepguard is strict about keys, so that a misspelt one cannot switch a rule off.
func parseDepguard(content []byte) (*depguard, error) {
	var file golangci
	if err := yaml.Unmarshal(content, &file); err != nil {
		return nil, err
	}
	section, err := yaml.Marshal(&file.Linters.Settings.Depguard)
	if err != nil {
		return nil, err
	}
	var config depguard
	decoder := yaml.NewDecoder(bytes.NewReader(section))
	decoder.KnownFields(true)
	if err := decoder.Decode(&config); err != nil {
		return nil, fmt.Errorf("linters.settings.depguard: %w", err)
	}
	if len(config.Rules) == 0 {
		return nil, errors.New("linters.settings.depguard.rules is empty")
	}
	return &config, nil
}
