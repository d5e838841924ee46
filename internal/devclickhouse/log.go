package devclickhouse

import (
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"time"
)

const (
	// logTail is how much of engine.log goes into an error.
	logTail = 4 << 10
	// logLimit bounds engine.log: every failed query adds some 4 KB of stack traces, which would fill a disk in the end.
	logLimit = 32 << 20
	// logCheck is how often the size of engine.log is looked at.
	logCheck = time.Minute
)

// boundLog keeps engine.log small until the engine has ended.
func (s *Server) boundLog() {
	tick := time.NewTicker(logCheck)
	defer tick.Stop()
	for {
		select {
		case <-s.done:
			return
		case <-tick.C:
			_ = cutLog(s.files.log(), logLimit) // Tried again at the next tick.
		}
	}
}

func cutLog(path string, limit int64) error {
	info, err := os.Stat(path)
	if err != nil || info.Size() <= limit {
		return err
	}
	return os.Truncate(path, 0)
}

// diagnose makes an error of the end of engine.log: the engine tells nothing else about why it failed.
func (l layout) diagnose() error {
	text, err := tail(l.log())
	if err != nil {
		return fmt.Errorf("its log can't be read: %w", err)
	}
	switch {
	case strings.Contains(text, "Code: 76."):
		return fmt.Errorf("%w: stop that one, or give another data directory; %s ends with:\n%s", ErrInUse, l.log(), text)
	case strings.Contains(text, "Address already in use"):
		return fmt.Errorf("its port is taken: stop what listens there, or give another port; %s ends with:\n%s", l.log(), text)
	case text == "":
		return fmt.Errorf("%s is empty", l.log())
	}
	return fmt.Errorf("%s ends with:\n%s", l.log(), text)
}

// stackLine matches the frames of the engine's stack traces, which have no symbols and so say nothing.
var stackLine = regexp.MustCompile(`(?m)^\d+\. .* @ 0x[0-9a-f]+\n`)

func tail(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close() //nolint:errcheck // Only read.
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	text := make([]byte, min(info.Size(), 4*logTail))
	if _, err := f.ReadAt(text, info.Size()-int64(len(text))); err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	text = stackLine.ReplaceAll(text, nil)
	return strings.TrimSpace(string(text[max(0, len(text)-logTail):])), nil
}
