//go:build !crashpoints

package worker

// reach marks a step between poll and commit at which tests (internal/faults) kill the process; in a build without the tag
// crashpoints it is nothing.
func reach(string) {}
