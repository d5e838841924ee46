// Command gendocs writes views.md and metrics.md, which describe the built-in catalogue and its views, into a directory.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"tidemark/schemas"
	"tidemark/sinks/clickhouse/views"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: gendocs DIRECTORY")
		os.Exit(2)
	}
	if err := write(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func write(dir string) error {
	cat, err := schemas.Builtin()
	if err != nil {
		return err
	}
	text, err := views.Markdown(cat)
	if err != nil {
		return err
	}
	for name, text := range map[string]string{"views.md": text, "metrics.md": views.MetricsMarkdown(cat)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil { //nolint:gosec // Documentation is for everybody to read.
			return err
		}
	}
	return nil
}
