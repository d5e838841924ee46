package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
)

// devCmd groups what production takes from elsewhere, each as a process of its own that can be killed alone.
type devCmd struct {
	Kafka      devKafkaCmd      `cmd:"" help:"Run the embedded Kafka."`
	ClickHouse devClickHouseCmd `cmd:"" name:"clickhouse" help:"Run the embedded ClickHouse."`
	Engine     devEngineCmd     `cmd:"" name:"clickhouse-engine" hidden:"" help:"What dev clickhouse and demo start as a child."`
}

// explainDisk says what to do about a full disk, which errors of the embedded parts often have as text only.
func explainDisk(err error, dir string) error {
	if err == nil || !errors.Is(err, syscall.ENOSPC) && !strings.Contains(strings.ToLower(err.Error()), "no space left on device") {
		return err
	}
	return fmt.Errorf("the disk of %s is full: free some space there, or give --data-dir on another disk: %w", dir, err)
}

// shown is a directory as it is printed: absolute, so that it is found from anywhere.
func shown(dir string) string {
	if abs, err := filepath.Abs(dir); err == nil {
		return abs
	}
	return dir
}

// export is a line that sets a variable in a shell.
func export(name, value string) string {
	return "export " + name + "='" + strings.ReplaceAll(value, "'", `'\''`) + "'"
}
