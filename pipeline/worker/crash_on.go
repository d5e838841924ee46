//go:build crashpoints

package worker

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
)

// crashAt and crashLeft say when to die: CRASH_AT=name:n is the n-th time that the step name is reached.
var crashAt, crashLeft = crashPoint(os.Getenv("CRASH_AT"))

func crashPoint(text string) (name string, left *atomic.Int64) {
	left = &atomic.Int64{}
	if text == "" {
		return "", left
	}
	name, count, _ := strings.Cut(text, ":")
	n, err := strconv.ParseInt(count, 10, 64)
	if err != nil || n < 1 {
		panic(fmt.Sprintf("CRASH_AT is %q: set it to a step and the how-manieth time, as in folded:3", text))
	}
	left.Store(n)
	return name, left
}

// reach marks a step between poll and commit, and is where the process kills itself as the kernel would: nothing is
// flushed, closed or said.
func reach(name string) {
	if name != crashAt || crashLeft.Add(-1) != 0 {
		return
	}
	self, err := os.FindProcess(os.Getpid())
	if err == nil {
		err = self.Kill()
	}
	if err != nil {
		panic(fmt.Sprintf("cannot kill this process: %v", err))
	}
	select {} // the signal is on its way; not one step more
}
