package client

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
)

// spool keeps events on disk until they are acknowledged: segments, of which the last is written and the first is read. A segment is
// deleted once all of it is acknowledged; how far it is, is not kept, so that after a kill its first events are sent again.
type spool struct {
	dir          string
	lock         *os.File
	maxBytes     int64
	segmentBytes int64
	sync         bool

	mu       sync.Mutex
	segments []*segment
	active   *os.File // of the last segment, nil when the next append begins one
	number   uint64   // of the next segment
	bytes    int64    // of all segments
	left     int      // events that are not acknowledged
	corrupt  int64    // bytes that could not be read
	changed  chan struct{}
}

type segment struct {
	path    string
	size    int64 // of what was wholly written
	acked   int64 // offset up to which all is acknowledged
	records int   // behind acked
}

// batch is what was read of the first segment.
type batch struct {
	events []Event
	end    int64 // offset behind them
}

func openSpool(dir string, maxBytes int64, fsync bool) (*spool, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the spool directory: %w", err)
	}
	lock, err := lockDir(dir)
	if err != nil {
		return nil, err
	}
	s := &spool{dir: dir, lock: lock, maxBytes: maxBytes, segmentBytes: min(512<<10, maxBytes/4), sync: fsync, changed: make(chan struct{})}
	if err := s.recover(); err != nil {
		_ = lock.Close()
		return nil, err
	}
	return s, nil
}

// recover finds what an earlier process left.
func (s *spool) recover() error {
	paths, err := filepath.Glob(filepath.Join(s.dir, "*.seg")) // sorted
	if err != nil {
		return fmt.Errorf("list the spool: %w", err)
	}
	for _, path := range paths {
		if _, err := fmt.Sscanf(filepath.Base(path), "%016x.seg", &s.number); err != nil {
			return fmt.Errorf("%s is no segment of a spool: move it elsewhere", path)
		}
		s.number++
		content, err := readSegment(path, 0)
		if err != nil {
			return err
		}
		g := &segment{path: path}
		g.size = int64(readRecords(content, func(Event, int) bool { g.records++; return true }))
		s.corrupt += int64(len(content)) - g.size
		g.size += int64(len(magic))
		g.acked = int64(len(magic))
		if g.records == 0 {
			if err := os.Remove(path); err != nil {
				return fmt.Errorf("remove an empty segment: %w", err)
			}
			continue
		}
		s.segments = append(s.segments, g)
		s.bytes += g.size
		s.left += g.records
	}
	return nil
}

// readSegment returns the segment's content behind its magic, from an offset on; nothing of a file that begins otherwise.
func readSegment(path string, from int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read the spool: %w", err)
	}
	defer func() { _ = f.Close() }() // it was only read
	start := make([]byte, len(magic))
	if _, err := io.ReadFull(f, start); err != nil || string(start) != magic {
		return nil, nil //nolint:nilerr // cut off before it had content
	}
	content, err := io.ReadAll(io.NewSectionReader(f, max(from, int64(len(magic))), maxSegment))
	if err != nil {
		return nil, fmt.Errorf("read the spool: %w", err)
	}
	return content, nil
}

// maxSegment is more than a segment can have: what takes it past segmentBytes is one append.
const maxSegment = 8 << 20

// changes returns a channel that is closed when the spool is written or acknowledged.
func (s *spool) changes() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed
}

func (s *spool) tell() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// room returns how many bytes may be appended.
func (s *spool) room() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.maxBytes - s.bytes - int64(len(magic))
}

// append writes the records of n events. After an error none of them counts as written, but some may be sent.
func (s *spool) append(records []byte, n int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.active == nil {
		if err := s.begin(); err != nil {
			return err
		}
	}
	g := s.segments[len(s.segments)-1]
	_, err := s.active.WriteAt(records, g.size)
	if err == nil && s.sync {
		err = s.active.Sync()
	}
	if err != nil {
		// What was written in part is beyond the size, and nothing is written behind it.
		return errors.Join(fmt.Errorf("write the spool: %w", err), s.seal())
	}
	g.size += int64(len(records))
	g.records += n
	s.bytes += int64(len(records))
	s.left += n
	if g.size >= s.segmentBytes {
		if err := s.seal(); err != nil {
			return err
		}
	}
	s.tell()
	return nil
}

func (s *spool) begin() error {
	path := filepath.Join(s.dir, fmt.Sprintf("%016x.seg", s.number))
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("begin a segment of the spool: %w", err)
	}
	s.number++
	if _, err = f.WriteString(magic); err == nil && s.sync {
		err = syncDir(s.dir)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("begin a segment of the spool: %w", err), f.Close(), os.Remove(path))
	}
	s.active = f
	s.segments = append(s.segments, &segment{path: path, size: int64(len(magic)), acked: int64(len(magic))})
	s.bytes += int64(len(magic))
	return nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// seal ends the segment that is written.
func (s *spool) seal() error {
	if s.active == nil {
		return nil
	}
	err := s.active.Close()
	s.active = nil
	if err != nil {
		return fmt.Errorf("end a segment of the spool: %w", err)
	}
	return nil
}

// read returns the next events of one kind that are not acknowledged, at most so many and of so many bytes, but one at least. It is
// empty when there are none.
func (s *spool) read(events, bytes int) (batch, error) {
	for {
		s.mu.Lock()
		if len(s.segments) == 0 || s.segments[0].records == 0 && s.active != nil && len(s.segments) == 1 {
			s.mu.Unlock()
			return batch{}, nil
		}
		g := *s.segments[0]
		s.mu.Unlock()
		b := batch{end: g.acked}
		content, err := readSegment(g.path, g.acked)
		if err != nil {
			return b, err
		}
		total := 0
		b.end += int64(readRecords(content[:min(int64(len(content)), g.size-g.acked)], func(e Event, size int) bool {
			total += size
			if len(b.events) > 0 && (len(b.events) >= events || total > bytes || e.Kind != b.events[0].Kind) {
				return false
			}
			b.events = append(b.events, e)
			return true
		}))
		if len(b.events) > 0 {
			return b, nil
		}
		if err := s.give(g); err != nil { // the rest was damaged since it was written
			return b, err
		}
	}
}

// ack says that all events of the batch need not be kept.
func (s *spool) ack(b batch) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.segments[0]
	g.acked = b.end
	g.records -= len(b.events)
	s.left -= len(b.events)
	return s.trim()
}

// give gives up what could not be read of the first segment as it was seen.
func (s *spool) give(seen segment) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.segments[0]
	s.corrupt += seen.size - seen.acked
	s.left -= seen.records
	g.records -= seen.records
	g.acked = seen.size
	return s.trim()
}

// trim deletes the first segment if all of it is acknowledged.
func (s *spool) trim() error {
	defer s.tell()
	g := s.segments[0]
	if g.acked < g.size {
		return nil
	}
	if len(s.segments) == 1 {
		if err := s.seal(); err != nil {
			return err
		}
	}
	s.segments = slices.Delete(s.segments, 0, 1)
	s.bytes -= g.size
	if err := os.Remove(g.path); err != nil {
		return fmt.Errorf("delete a segment that is sent: %w", err)
	}
	return nil
}

// spoolState is how much is in the spool.
type spoolState struct {
	left           int
	bytes, corrupt int64
}

func (s *spool) state() spoolState {
	s.mu.Lock()
	defer s.mu.Unlock()
	return spoolState{left: s.left, bytes: s.bytes, corrupt: s.corrupt}
}

func (s *spool) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return errors.Join(s.seal(), s.lock.Close())
}
