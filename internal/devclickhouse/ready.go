package devclickhouse

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

const (
	// readyPoll is how often a starting engine is looked at.
	readyPoll = 20 * time.Millisecond
	// takeLimit is how long Start waits for a directory that another engine is just leaving. For one whose parent has died, and
	// which is about to stop, it waits as long as it may.
	takeLimit = 8 * time.Second
)

// takeDirectory locks the data directory and clears what an earlier run left in the way.
func takeDirectory(ctx context.Context, files layout) (*os.File, error) {
	take := func() (*os.File, error) {
		ctx, cancel := context.WithTimeout(ctx, takeLimit)
		defer cancel()
		return lockFile(ctx, files.lock())
	}
	lock, err := take()
	for errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil && orphaned(files.lock()) {
		lock, err = take()
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return nil, fmt.Errorf("%w: stop that one, or give another data directory (%w)", ErrInUse, err)
	}
	if err != nil {
		return nil, fmt.Errorf("take the data directory: %w", err)
	}
	if err := os.Remove(files.ports()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, errors.Join(err, lock.Close())
	}
	return lock, nil
}

// ErrInUse means that another engine runs on the data directory.
var ErrInUse = errors.New("another ClickHouse engine runs on this data directory")

// checkPort tells early, and more clearly than the engine would, that a port is taken.
func checkPort(port int) error {
	if port == 0 {
		return nil
	}
	l, err := net.Listen("tcp", net.JoinHostPort(listenHost, strconv.Itoa(port)))
	if err != nil {
		return fmt.Errorf("port %d can't be used: stop what listens there, or give another port (0 picks a free one): %w", port, err)
	}
	return l.Close()
}

// waitReady waits until the engine has told its ports and answers on both.
func (s *Server) waitReady(ctx context.Context) error {
	tick := time.NewTicker(readyPoll)
	defer tick.Stop()
	for {
		select {
		case <-s.done:
			return s.err
		case <-ctx.Done():
			return fmt.Errorf("no answer from the engine: %w: %w", ctx.Err(), s.files.diagnose())
		case <-tick.C:
		}
		if s.nativePort == 0 {
			if err := s.readPorts(); err != nil {
				return err
			}
			continue
		}
		if ping(ctx, "http://"+s.HTTPAddr()+"/ping") == nil {
			return nil
		}
	}
}

// readPorts reads the file that the engine writes once it listens. An interactive engine that failed to listen does not end,
// so its log is looked at too.
func (s *Server) readPorts() error {
	text, err := os.ReadFile(s.files.ports())
	if errors.Is(err, fs.ErrNotExist) || err == nil && !bytes.HasSuffix(text, []byte("\n")) {
		if log, err := tail(s.files.log()); err == nil && strings.Contains(log, "Received exception") {
			return s.files.diagnose()
		}
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the engine's ports: %w", err)
	}
	if _, err := fmt.Sscanf(string(text), "%d\t%d", &s.httpPort, &s.nativePort); err != nil {
		return fmt.Errorf("read the engine's ports from %q: %w", text, err)
	}
	return nil
}

func ping(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, 64))
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK || strings.TrimSpace(string(body)) != "Ok." {
		return fmt.Errorf("answer %s: %q", resp.Status, body)
	}
	return nil
}
