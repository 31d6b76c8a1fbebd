package cli

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// completionCommands print what makes a shell complete the verbs and flags of the program:
//
//	source <(pawl completion bash)
//
// The scripts ask the program itself at each press of the key, so that they fit every version of it.
type completionCommands struct {
	Bash  completionScript  `cmd:"" help:"Print the script for bash."`
	Zsh   completionScript  `cmd:"" help:"Print the script for zsh."`
	Fish  completionScript  `cmd:"" help:"Print the script for fish."`
	Words completionAnswers `cmd:"" hidden:"" help:"Print what may follow some words; the scripts ask this."`
}

type completionScript struct{}

var (
	//go:embed completion/pawl.bash
	bashScript string
	//go:embed completion/pawl.zsh
	zshScript string
	//go:embed completion/pawl.fish
	fishScript string
)

// Run prints the script of the shell that the command is named after.
func (completionScript) Run(k *kong.Context, t *Terminal) error {
	scripts := map[string]string{"bash": bashScript, "zsh": zshScript, "fish": fishScript}
	_, err := fmt.Fprint(t.Out, scripts[k.Selected().Name])
	return err
}

type completionAnswers struct {
	Words []string `arg:"" optional:"" passthrough:"" help:"The words so far; the last is the one to complete."`
}

// Run prints one candidate a line.
func (c *completionAnswers) Run(k *kong.Context, t *Terminal) error {
	words := c.Words
	if len(words) > 0 && words[0] == "--" {
		words = words[1:]
	}
	for _, candidate := range complete(k.Model.Node, words) {
		fmt.Fprintln(t.Out, candidate)
	}
	return nil
}

// complete returns what the last word may become, given the words before it.
func complete(node *kong.Node, words []string) []string {
	if len(words) == 0 {
		words = []string{""}
	}
	before, last := words[:len(words)-1], words[len(words)-1]
	var valueOf *kong.Flag // whose value comes next
	for _, word := range before {
		switch {
		case valueOf != nil:
			valueOf = nil
		case strings.HasPrefix(word, "-"):
			valueOf = flagWithValue(node, word)
		default:
			if child := childOf(node, word); child != nil {
				node = child
			}
		}
	}
	return withPrefix(candidates(node, valueOf, last), last)
}

func candidates(node *kong.Node, valueOf *kong.Flag, last string) []string {
	switch {
	case valueOf != nil:
		return enumOf(valueOf)
	case strings.HasPrefix(last, "-"):
		return flagNames(node)
	default:
		return childNames(node)
	}
}

func childOf(node *kong.Node, name string) *kong.Node {
	for _, child := range node.Children {
		if child.Type == kong.CommandNode && child.Name == name {
			return child
		}
	}
	return nil
}

func childNames(node *kong.Node) []string {
	var names []string
	for _, child := range node.Children {
		if child.Type == kong.CommandNode && !child.Hidden {
			names = append(names, child.Name)
		}
	}
	return names
}

// flagsOf are the flags of a command and of those above it.
func flagsOf(node *kong.Node) []*kong.Flag {
	var all []*kong.Flag
	for ; node != nil; node = node.Parent {
		all = append(all, node.Flags...)
	}
	return all
}

func flagNames(node *kong.Node) []string {
	var names []string
	for _, f := range flagsOf(node) {
		if !f.Hidden {
			names = append(names, "--"+f.Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// flagWithValue is the flag that a word names, if its value is the next word.
func flagWithValue(node *kong.Node, word string) *kong.Flag {
	for _, f := range flagsOf(node) {
		if word == "--"+f.Name || (f.Short != 0 && word == "-"+string(f.Short)) {
			if f.IsBool() {
				return nil
			}
			return f
		}
	}
	return nil
}

func enumOf(f *kong.Flag) []string {
	if f.Enum == "" {
		return nil
	}
	return strings.Split(f.Enum, ",")
}

func withPrefix(all []string, prefix string) []string {
	return slices.DeleteFunc(all, func(word string) bool { return !strings.HasPrefix(word, prefix) })
}
