package faults_test

import (
	"fmt"
	"os"
	"sync"
)

// figures is what a test, or all of them, went through.
type figures struct {
	kills       int // processes ended by SIGKILL, or stopped beyond their session
	faults      int // of connections and disks
	records     uint64
	rows        int // compared with the recount
	differences int
}

func (f figures) String() string {
	return fmt.Sprintf("kills survived %d, other faults %d, records %d, rows compared %d, differences %d",
		f.kills, f.faults, f.records, f.rows, f.differences)
}

// total sums up the figures of all tests. It is global because TestMain prints it.
var total struct {
	sync.Mutex
	figures
	tests int
}

func (f figures) addToTotal() {
	total.Lock()
	defer total.Unlock()
	total.tests++
	total.kills += f.kills
	total.faults += f.faults
	total.records += f.records
	total.rows += f.rows
	total.differences += f.differences
}

// tally prints the total after the last test.
type tally struct{ m interface{ Run() int } }

func (t tally) Run() int {
	code := t.m.Run()
	fmt.Fprintf(os.Stdout, "faults: %d scenarios: %s\n", total.tests, total.figures)
	return code
}
