// Package pages writes what the documentation says of the benchmark's figures: tables and worked examples between two marks
// of a page, and a chart.
package pages

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"tidemark/bench/figures"
	"tidemark/bench/scaling"
)

// What stands between the marks is written anew; the rest of a page is written by people.
const (
	begin = "<!-- begin of what make bench writes -->\n"
	end   = "<!-- end of what make bench writes -->\n"
)

// Write writes performance.md, performance.svg and scaling.md of dir anew.
func Write(dir string, r figures.Report) error {
	model, err := scaling.Markdown(r)
	if err != nil {
		model = fmt.Sprintf("*Not all figures are there yet: %v.*\n", err)
	}
	for name, text := range map[string]string{"performance.md": tables(r), "scaling.md": model} {
		if err := replace(filepath.Join(dir, name), text); err != nil {
			return err
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "performance.svg"), chart(r), 0o644); err != nil {
		return fmt.Errorf("write the chart: %w", err)
	}
	return nil
}

// replace puts text between the marks of a page.
func replace(path, text string) error {
	page, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read the page: %w", err)
	}
	before, rest, ok := bytes.Cut(page, []byte(begin))
	_, after, ok2 := bytes.Cut(rest, []byte(end))
	if !ok || !ok2 {
		return fmt.Errorf("%s has not the lines %q and %q", path, strings.TrimSpace(begin), strings.TrimSpace(end))
	}
	page = fmt.Appendf(nil, "%s%s\n%s\n\n%s%s", before, begin, strings.TrimSpace(text), end, after)
	if err := os.WriteFile(path, page, 0o644); err != nil {
		return fmt.Errorf("write the page: %w", err)
	}
	return nil
}
