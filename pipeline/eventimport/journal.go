package eventimport

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
)

// entry says how far a file was imported. The last entry of a file counts.
type entry struct {
	Content string    `json:"content"` // hash of the unpacked content
	Path    string    `json:"path"`
	Events  int       `json:"events"` // that are in Kafka, or were refused, from the beginning
	Done    bool      `json:"done,omitempty"`
	At      time.Time `json:"at"`
}

// journal is the state file: an entry a line, appended once the events that it counts are in Kafka.
type journal struct {
	file    *os.File // nil of a dry run without one
	entries map[string]entry
}

// openJournal reads the state file and, unless it is only to be read, takes it for this process.
func openJournal(path string, readOnly bool) (*journal, error) {
	j := &journal{entries: map[string]entry{}}
	flags := os.O_RDWR | os.O_CREATE | os.O_APPEND
	if readOnly {
		flags = os.O_RDONLY
	}
	f, err := os.OpenFile(path, flags, 0o600)
	if readOnly && errors.Is(err, os.ErrNotExist) {
		return j, nil
	}
	if err != nil {
		return nil, fmt.Errorf("open the state file: %w", err)
	}
	j.file = f
	if !readOnly {
		if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
			return nil, errors.Join(fmt.Errorf("another import uses the state file %s: wait for it, or name another with --state", path), f.Close())
		}
	}
	whole, err := j.read(f)
	if err == nil && !readOnly {
		err = f.Truncate(whole) // what a kill cut off
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("read the state file %s: %w", path, err), f.Close())
	}
	return j, nil
}

// read returns how many bytes are whole lines.
func (j *journal) read(f *os.File) (whole int64, err error) {
	r := bufio.NewReader(f)
	for n := 1; ; n++ {
		line, err := r.ReadBytes('\n')
		if err != nil {
			return whole, nil //nolint:nilerr // the end; a line that does not end was cut off
		}
		var e entry
		if err := json.Unmarshal(line, &e); err != nil || e.Content == "" {
			return whole, fmt.Errorf("line %d is no entry of an import: name another file with --state", n)
		}
		j.entries[e.Content] = e
		whole += int64(len(line))
	}
}

// write appends an entry, durably.
func (j *journal) write(e entry) error {
	line, err := json.Marshal(e)
	if err == nil {
		_, err = j.file.Write(append(line, '\n'))
	}
	if err == nil {
		err = j.file.Sync()
	}
	if err != nil {
		return fmt.Errorf("write the state file: %w", err)
	}
	j.entries[e.Content] = e
	return nil
}

func (j *journal) close() error {
	if j.file == nil {
		return nil
	}
	return j.file.Close()
}
