package eventimport

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/klauspost/compress/zstd"

	"tidemark/pipeline/decode"
)

// ofEvents are the names of files in a directory that are read; a file that is named itself may be called anything.
var ofEvents = regexp.MustCompile(`(?i)(\.(json|jsonl|ndjson|log)(\.(gz|zst))?|\.(gz|zst))$`)

// Files returns the files that the paths name: a directory's and those below it, in lexical order, which is that of the hours in a layout
// such as prefix/2026-03-01/09/part.jsonl.gz. skipped are files in directories that do not look like events.
func Files(paths []string) (files, skipped []string, err error) {
	for _, root := range paths {
		info, err := os.Stat(root)
		if err != nil {
			return nil, nil, err
		}
		if !info.IsDir() {
			files = append(files, root)
			continue
		}
		err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case d.IsDir() && path != root && strings.HasPrefix(d.Name(), "."):
				return filepath.SkipDir
			case d.IsDir():
			case ofEvents.MatchString(d.Name()) && !strings.HasPrefix(d.Name(), "."):
				files = append(files, path)
			default:
				skipped = append(skipped, path)
			}
			return nil
		})
		if err != nil {
			return nil, nil, err
		}
	}
	if len(files) == 0 {
		return nil, nil, fmt.Errorf("there are no files of events in %s: they are called .json, .jsonl, .ndjson or .log, with .gz or .zst, unless named one by one", strings.Join(paths, ", "))
	}
	return files, skipped, nil
}

// content is a file's, unpacked.
type content struct {
	*bufio.Reader
	file *os.File
	zstd *zstd.Decoder
}

func open(path string) (*content, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	c := &content{Reader: bufio.NewReaderSize(f, 64<<10), file: f}
	start, _ := c.Peek(4) // of a shorter file what there is
	switch {
	case bytes.HasPrefix(start, []byte{0x1f, 0x8b}):
		unzip, err := gzip.NewReader(c.Reader)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", path, err), f.Close())
		}
		c.Reader = bufio.NewReaderSize(unzip, 64<<10)
	case bytes.Equal(start, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		c.zstd, err = zstd.NewReader(c.Reader, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(256<<20))
		if err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", path, err), f.Close())
		}
		c.Reader = bufio.NewReaderSize(c.zstd, 64<<10)
	}
	if mark, _ := c.Peek(3); string(mark) == "\ufeff" {
		_, _ = c.Discard(3) // they are in the buffer
	}
	return c, nil
}

func (c *content) close() {
	if c.zstd != nil {
		c.zstd.Close()
	}
	_ = c.file.Close() // it was only read
}

// hash reads the whole file, so that one that is damaged is found before any of it is sent, and returns the hash of its unpacked content.
func hash(path string) (string, error) {
	c, err := open(path)
	if err != nil {
		return "", err
	}
	defer c.close()
	h := sha256.New()
	if _, err := io.Copy(h, c); err != nil {
		return "", fmt.Errorf("read %s: %w", path, err)
	}
	return hex.EncodeToString(h.Sum(nil)[:16]), nil
}

// errTooLong is that of a line or an element that has more bytes than any event.
var errTooLong = fmt.Errorf("it has more than %d bytes", decode.MaxValue)

// each visits the file's events: the lines that are not empty, or the elements of the array that it is. raw is nil with an error, and valid
// until visit returns.
func each(path string, visit func(line int, raw []byte, err error) error) error {
	c, err := open(path)
	if err != nil {
		return err
	}
	defer c.close()
	for {
		b, err := c.Peek(1)
		if err != nil {
			return nil //nolint:nilerr // an empty file: hash has read it
		}
		if b[0] == '[' {
			return elements(path, c.Reader, visit)
		}
		if b[0] != ' ' && b[0] != '\t' {
			return lines(path, c.Reader, visit)
		}
		_, _ = c.Discard(1) // it is in the buffer
	}
}

func lines(path string, r *bufio.Reader, visit func(int, []byte, error) error) error {
	var long []byte
	for n := 1; ; n++ {
		long = long[:0]
		tooLong := false
		var err error
		for {
			var part []byte
			part, err = r.ReadSlice('\n')
			if tooLong = tooLong || len(long)+len(part) > decode.MaxValue; !tooLong {
				long = append(long, part...)
			}
			if !errors.Is(err, bufio.ErrBufferFull) {
				break
			}
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("read %s: %w", path, err)
		}
		text := bytes.TrimSpace(long)
		var failed error
		switch {
		case tooLong:
			failed = visit(n, nil, errTooLong)
		case len(text) > 0:
			failed = visit(n, text, nil)
		}
		if failed != nil || err != nil { // err is the end
			return failed
		}
	}
}

// counted counts lines, and ends what reads further than any event is long.
type counted struct {
	r       io.Reader
	read    int64
	bound   int64
	newline []int64 // offsets behind the last event
}

func (c *counted) Read(p []byte) (int, error) {
	if c.read > c.bound {
		return 0, errTooLong
	}
	n, err := c.r.Read(p[:min(len(p), 64<<10)])
	for i, b := range p[:n] {
		if b == '\n' {
			c.newline = append(c.newline, c.read+int64(i))
		}
	}
	c.read += int64(n)
	return n, err
}

// elements visits an array's. JSON that is broken ends it, as nobody knows where the next element begins.
func elements(path string, r io.Reader, visit func(int, []byte, error) error) error {
	from := &counted{r: r, bound: 4 * decode.MaxValue}
	d := json.NewDecoder(from)
	line := 1
	seek := func(offset int64) {
		for len(from.newline) > 0 && from.newline[0] < offset {
			line++
			from.newline = from.newline[1:]
		}
		from.bound = offset + 4*decode.MaxValue
	}
	if _, err := d.Token(); err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	for d.More() {
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			seek(d.InputOffset())
			return fmt.Errorf("%s:%d: the array is broken: %w", path, line, err)
		}
		seek(d.InputOffset())
		if err := visit(line, raw, nil); err != nil {
			return err
		}
	}
	if _, err := d.Token(); err != nil {
		return fmt.Errorf("%s: the array does not end: %w", path, err)
	}
	return nil
}
