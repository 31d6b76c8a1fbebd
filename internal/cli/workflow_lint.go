package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pawl-ci/pawl/internal/workflowfile"
)

type workflowLint struct {
	Paths []string `arg:"" optional:"" help:"Files or directories; else the workflows of this repository."`
	JSON  bool     `name:"json" help:"Print JSON."`
}

// lintProblem is a fault of a file.
type lintProblem struct {
	File    string `json:"file"`
	Line    int    `json:"line"`
	Column  int    `json:"column"`
	Message string `json:"message"`
}

// workflowDirs are where workflows are looked for; the first that is there wins (rest-api.md §5).
var workflowDirs = []string{".gitea/workflows", ".github/workflows"}

// maxFile is the size up to which the server reads a workflow file, 1 MiB.
const maxFile = 1 << 20

// Run prints the problems as file:line:column, and fails if there are any.
func (c *workflowLint) Run(t *Terminal) error {
	files, err := c.files()
	if err != nil {
		return err
	}
	problems := []lintProblem{}
	for _, file := range files {
		found, err := lint(file)
		if err != nil {
			return err
		}
		problems = append(problems, found...)
	}
	return c.report(printer{Terminal: t}, len(files), problems)
}

func (c *workflowLint) report(p printer, files int, problems []lintProblem) error {
	if c.JSON {
		if err := p.json(problems); err != nil {
			return err
		}
	} else {
		for _, f := range problems {
			p.say("%s:%d:%d: %s", clean(f.File), f.Line, f.Column, clean(f.Message))
		}
	}
	switch {
	case len(problems) > 0:
		return errLint
	case !c.JSON:
		p.say("no problems; files: %d", files)
	}
	return nil
}

func (c *workflowLint) files() ([]string, error) {
	paths := c.Paths
	if len(paths) == 0 {
		i := slices.IndexFunc(workflowDirs, func(dir string) bool {
			info, err := os.Stat(dir)
			return err == nil && info.IsDir()
		})
		if i < 0 {
			return nil, fmt.Errorf("there is neither %s here", strings.Join(workflowDirs, " nor "))
		}
		paths = workflowDirs[i : i+1]
	}
	var files []string
	for _, path := range paths {
		err := filepath.WalkDir(path, func(at string, entry fs.DirEntry, err error) error {
			if err == nil && !entry.IsDir() && (at == path || isWorkflow(at)) {
				files = append(files, at)
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return files, nil
}

func isWorkflow(path string) bool {
	ext := filepath.Ext(path)
	return ext == ".yml" || ext == ".yaml"
}

func lint(file string) ([]lintProblem, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxFile {
		return []lintProblem{{File: file, Line: 1, Column: 1, Message: "the file is larger than 1 MiB"}}, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	_, err = workflowfile.Parse(file, text)
	var faulty *workflowfile.Error
	if !errors.As(err, &faulty) {
		return nil, err
	}
	found := make([]lintProblem, len(faulty.Problems))
	for i, p := range faulty.Problems {
		found[i] = lintProblem{File: p.File, Line: p.Line, Column: p.Column, Message: p.Message}
	}
	return found, nil
}
