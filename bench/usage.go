package main

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// usage is what a run took. CPU times are of whole processes, so that a server's work in the background is in them.
type usage struct {
	Seconds       float64 `json:"seconds"` // from the first fetched batch to the end
	ClientCPU     float64 `json:"client_cpu_seconds"`
	KafkaCPU      float64 `json:"kafka_cpu_seconds"`
	ClickHouseCPU float64 `json:"clickhouse_cpu_seconds"`
	Allocations   uint64  `json:"allocations"`
	Allocated     uint64  `json:"allocated_bytes"`
	Collections   uint32  `json:"garbage_collections"`
}

// meter measures usage from its making to stop. As a hook of a client it finds the moment of the first fetched batch, so
// that joining a group, which takes as long for a small topic as for a big one, is left out.
type meter struct {
	kafka, clickhouse int // process ids; 0: none
	first             sync.Once
	began             time.Time
	cpu               [3]float64
	memory            runtime.MemStats
}

func newMeter(kafka, clickhouse int) *meter {
	m := &meter{kafka: kafka, clickhouse: clickhouse}
	runtime.GC()
	runtime.ReadMemStats(&m.memory)
	m.cpu = m.times()
	return m
}

// OnFetchBatchRead implements kgo.HookFetchBatchRead.
func (m *meter) OnFetchBatchRead(kgo.BrokerMetadata, string, int32, kgo.FetchBatchMetrics) {
	m.first.Do(func() { m.began = time.Now() })
}

func (m *meter) stop() usage {
	u := usage{Seconds: time.Since(m.began).Seconds()}
	cpu := m.times()
	u.ClientCPU, u.KafkaCPU, u.ClickHouseCPU = cpu[0]-m.cpu[0], cpu[1]-m.cpu[1], cpu[2]-m.cpu[2]
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	u.Allocations, u.Allocated = memory.Mallocs-m.memory.Mallocs, memory.TotalAlloc-m.memory.TotalAlloc
	u.Collections = memory.NumGC - m.memory.NumGC
	return u
}

// times returns the CPU seconds of this process, Kafka's and ClickHouse's.
func (m *meter) times() [3]float64 {
	var self syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &self) // cannot fail
	own := time.Duration(self.Utime.Nano() + self.Stime.Nano())
	return [3]float64{own.Seconds(), processTime(m.kafka), processTime(m.clickhouse)}
}

// processTime returns a process's CPU seconds, 0 where the system has no /proc.
func processTime(pid int) float64 {
	user, system := processTimes(pid)
	return user + system
}

// processTimes returns a process's CPU seconds in its own code and in the kernel.
func processTimes(pid int) (user, system float64) {
	fields, err := stat(pid)
	if pid == 0 || err != nil {
		return 0, 0
	}
	const ticks = 100 // a second, on every Linux (USER_HZ)
	user, _ = strconv.ParseFloat(fields[11], 64)
	system, _ = strconv.ParseFloat(fields[12], 64)
	return user / ticks, system / ticks
}

// resident returns the bytes of memory that a process holds, 0 where the system has no /proc.
func resident(pid int) float64 {
	fields, err := stat(pid)
	if err != nil {
		return 0
	}
	pages, _ := strconv.ParseFloat(fields[21], 64)
	return pages * float64(os.Getpagesize())
}

// stat returns the fields of /proc/pid/stat from the state on.
func stat(pid int) ([]string, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil, err
	}
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:])) // the name before may hold spaces
	if len(fields) < 22 {
		return nil, fmt.Errorf("/proc/%d/stat: %q", pid, text)
	}
	return fields, nil
}
