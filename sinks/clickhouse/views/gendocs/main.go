// Command gendocs writes views.md, metrics.md and tables.md, which describe the built-in catalogue, its views and their lineage,
// into docs.
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
		fmt.Fprintln(os.Stderr, "usage: gendocs ROOT of the repository")
		os.Exit(2)
	}
	if err := write(filepath.Join(os.Args[1], "docs"), os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// write writes the pages into dir; the tests that they name are those below root.
func write(dir, root string) error {
	cat, err := schemas.Builtin()
	if err != nil {
		return err
	}
	text, err := views.Markdown(cat)
	if err != nil {
		return err
	}
	tests, err := golden(root)
	if err != nil {
		return err
	}
	metrics, err := views.MetricsMarkdown(cat, tests)
	if err != nil {
		return err
	}
	lineage, err := views.Lineages(cat)
	if err != nil {
		return err
	}
	tables, err := tablesMarkdown(root, lineage)
	if err != nil {
		return err
	}
	for name, text := range map[string]string{"views.md": text, "metrics.md": metrics, "tables.md": tables} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}
