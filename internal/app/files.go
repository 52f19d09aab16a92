package app

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"tocsin/internal/config"
)

// namedFile is a file that a configuration names.
type namedFile struct {
	name string
	data []byte
}

// filesOf reads the files that a pattern names, sorted by name; "builtin:" ones from the binary, where builtin holds any. A name
// without wildcards must be there.
func filesOf(f *config.File, pattern string, builtin fs.FS) ([]namedFile, error) {
	var files []namedFile
	if inside, ok := strings.CutPrefix(pattern, config.Builtin); ok && builtin != nil {
		names, err := fs.Glob(builtin, inside)
		if err != nil {
			return nil, fmt.Errorf("%q is no pattern: %w", pattern, err)
		}
		for _, name := range names {
			data, err := fs.ReadFile(builtin, name)
			if err != nil {
				return nil, err
			}
			files = append(files, namedFile{name: config.Builtin + name, data: data})
		}
		return files, nil
	}
	path := f.Resolve(pattern)
	names := []string{path}
	if strings.ContainsAny(pattern, "*?[") {
		var err error
		if names, err = filepath.Glob(path); err != nil {
			return nil, fmt.Errorf("%q is no pattern: %w", pattern, err)
		}
	}
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("read what %q names: %w", pattern, err)
		}
		files = append(files, namedFile{name: name, data: data})
	}
	return files, nil
}
