package pipeline

import (
	"fmt"
	"os"
	"runtime/debug"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

const (
	// gcPercent lets the heap grow to five times what is live before it is collected: records pass through by the
	// gigabyte while little of the heap dies, and with Go's 100 a tenth of the CPU goes into looking for what does.
	gcPercent = 400
	// memoryShare is how much of the memory that this process may use the heap grows into; near it, it is collected more
	// often.
	memoryShare = 0.8
)

// TuneMemory makes the collector of garbage spend memory for CPU, within what the container, or else the machine, has.
// GOGC and GOMEMLIMIT in the environment have the last word.
func TuneMemory() error {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	if os.Getenv("GOMEMLIMIT") != "" {
		return nil
	}
	_, err := memlimit.SetGoMemLimitWithOpts(memlimit.WithRatio(memoryShare),
		memlimit.WithProvider(memlimit.ApplyFallback(memlimit.FromCgroup, memlimit.FromSystem)))
	if err != nil {
		return fmt.Errorf("find out how much memory there is: %w (set GOMEMLIMIT)", err)
	}
	return nil
}
