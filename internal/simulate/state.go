package simulate

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

const (
	stateFile = "simulator.json"
	truthFile = "truth.json"
)

// state is what a run has to know of the ones before it.
type state struct {
	Seed     uint64        `json:"seed"`
	Accounts int           `json:"accounts"`
	Start    time.Time     `json:"start"`
	History  time.Duration `json:"history_ns"`
	Live     []Stretch     `json:"live"`
	// Acked is the number of messages that have arrived, from the first on
	// without a gap. Reserved is how many may have been sent: it is written
	// before they are.
	Acked    uint64 `json:"acked"`
	Reserved uint64 `json:"reserved"`
	// Repeated are refused records that were sent twice, at worst, by reason.
	Repeated map[string]uint64 `json:"repeated"`
}

// openState reads the state of earlier runs, or begins a new one.
func openState(o Options, now time.Time) (*state, error) {
	if err := os.MkdirAll(o.StateDir, 0o750); err != nil {
		return nil, fmt.Errorf("make the simulator's state directory: %w", err)
	}
	path := filepath.Join(o.StateDir, stateFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return &state{Seed: o.Seed, Accounts: o.Accounts, Start: now.UTC().Truncate(time.Millisecond), History: o.History,
			Repeated: map[string]uint64{}}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the simulator's state: %w", err)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	s := &state{}
	if err := decoder.Decode(s); err != nil {
		return nil, fmt.Errorf("%s is not a state of this version of the simulator (use a fresh directory): %w", path, err)
	}
	if s.Repeated == nil {
		s.Repeated = map[string]uint64{}
	}
	if s.Seed != o.Seed || s.Accounts != o.Accounts || s.History != o.History {
		return nil, fmt.Errorf("%s holds a run with seed %d, %d accounts and a history of %s, not seed %d, %d accounts and %s: "+
			"use those values again, or a fresh directory",
			o.StateDir, s.Seed, s.Accounts, s.History, o.Seed, o.Accounts, o.History)
	}
	return s, nil
}

func (s *state) plan() Plan {
	return Plan{Seed: s.Seed, Accounts: s.Accounts, Start: s.Start, History: s.History, Live: s.Live}
}

func (s *state) save(dir string) error {
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	return replaceFile(filepath.Join(dir, stateFile), append(text, '\n'))
}

// replaceFile writes a file so that a crash leaves the old one or the new one.
func replaceFile(path string, text []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
