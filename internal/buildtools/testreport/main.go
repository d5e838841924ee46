// Command testreport runs `go test` and closes with what go test leaves out: which tests were skipped and why, and how
// many there were.
//
//	testreport [go test arguments] [-- more go test arguments]...
//
// Each group of arguments is one run. It exits with 1 if a test failed, if none ran, or, with CI=true, if any was
// skipped.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"syscall"
)

func main() {
	// A Ctrl-C reaches go test as well; what it says on its way out is still worth a report.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGINT, syscall.SIGTERM)
	r := newReport(os.Stdout)
	for _, args := range groups(os.Args[1:]) {
		if err := r.goTest(context.Background(), args, os.Stderr); err != nil {
			r.broken = append(r.broken, err.Error())
		}
	}
	if !r.close(os.Getenv("CI") == "true") {
		os.Exit(1)
	}
}

// groups splits args at each "--".
func groups(args []string) [][]string {
	var all [][]string
	for {
		i := slices.Index(args, "--")
		if i < 0 {
			return append(all, args)
		}
		all, args = append(all, args[:i]), args[i+1:]
	}
}

// goTest reports one run of go test. Its error says that the run itself broke, not that a test failed.
func (r *report) goTest(ctx context.Context, args []string, stderr io.Writer) error {
	command := "go test " + strings.Join(args, " ")
	cmd := exec.CommandContext(ctx, "go", append([]string{"test", "-json"}, args...)...)
	cmd.Stderr = stderr
	if slices.Contains(args, "-race") {
		cmd.Env = append(os.Environ(), "CGO_ENABLED=1") // The race detector is C.
	}
	events, err := cmd.StdoutPipe()
	if err != nil {
		return fmt.Errorf("%s: %w", command, err)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("%s: %w", command, err)
	}
	failedBefore := len(r.failed)
	readErr := r.read(events)
	if err := cmd.Wait(); err != nil && len(r.failed) == failedBefore {
		return fmt.Errorf("%s: %w, though no test failed", command, err)
	}
	if readErr != nil {
		return fmt.Errorf("%s: %w", command, readErr)
	}
	return nil
}
