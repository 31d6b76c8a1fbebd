package main

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// source is a Go file and what it imports.
type source struct {
	path    string // relative to the module, with slashes, beginning with one
	imports []imported
}

type imported struct {
	path     string
	position string // file:line:column
}

// walk calls visit for each Go file of the module at root. Modules inside of it, hidden directories, testdata and
// vendor are not parts of it.
func walk(root string, visit func(source)) error {
	return filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			return skip(root, path, entry.Name())
		}
		if !strings.HasSuffix(path, ".go") {
			return nil
		}
		file, err := parse(root, path)
		if err == nil {
			visit(file)
		}
		return err
	})
}

func skip(root, path, name string) error {
	if path == root {
		return nil
	}
	_, err := os.Stat(filepath.Join(path, "go.mod"))
	if err == nil || name == "testdata" || name == "vendor" || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") {
		return fs.SkipDir
	}
	return nil
}

func parse(root, path string) (source, error) {
	relative, err := filepath.Rel(root, path)
	if err != nil {
		return source{}, err
	}
	files := token.NewFileSet()
	tree, err := parser.ParseFile(files, path, nil, parser.ImportsOnly)
	if err != nil {
		return source{}, fmt.Errorf("parse imports: %w", err)
	}
	file := source{path: "/" + filepath.ToSlash(relative)}
	for _, spec := range tree.Imports {
		target, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return source{}, fmt.Errorf("%s: %w", files.Position(spec.Pos()), err)
		}
		file.imports = append(file.imports, imported{target, files.Position(spec.Pos()).String()})
	}
	return file, nil
}
