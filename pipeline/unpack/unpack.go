// Package unpack decompresses batches of records within bounds: a batch that a broker takes, of some kilobytes, can hold
// gigabytes, or a hundred million records.
//
// What one batch may hold is a rule of the log, not of the machine: a batch beyond it goes to the dead letters, whoever reads
// it. What all batches of a fetch may hold together is the machine's: a partition that comes later is fetched again.
package unpack

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	// MaxBytes is the most that a batch may hold, unpacked. Brokers take 1 MiB of it packed by default, and events pack to a
	// twentieth at best.
	MaxBytes = 64 << 20
	// MaxRecords is the most records that a batch may hold: the client keeps 200 bytes of each, however small it is.
	MaxRecords = 1 << 18
	// recordCost is what the client keeps of a record beside the batch's bytes.
	recordCost = 200
)

// ErrFull says that what has been unpacked since the last Reset fills the bound, so that the batch is to be fetched again.
var ErrFull = errors.New("enough has been unpacked for now")

// Unpacker is a kgo.Decompressor. It is safe for concurrent use.
type Unpacker struct {
	most int64 // bytes since the last Reset, about
	lz4  lz4Unpacker

	mu   sync.Mutex
	used int64
	zstd *zstd.Decoder // made when it is first needed
}

// New returns an unpacker that holds to the bound, in bytes, between two Resets; 0 is none.
func New(most int64) *Unpacker { return &Unpacker{most: most} }

// Reset says that what was unpacked so far is accounted for elsewhere.
func (u *Unpacker) Reset() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.used = 0
}

// Decompress unpacks a batch. A batch beyond MaxBytes or MaxRecords is kgo.ErrMaxDecompress, which stops the partition until
// its offset is set past the batch.
func (u *Unpacker) Decompress(src []byte, codec kgo.CompressionCodecType) ([]byte, error) {
	if codec == kgo.CodecNone {
		return src, nil // brokers bound it
	}
	if u.full() {
		return nil, ErrFull
	}
	out, err := u.unpack(src, codec)
	if err != nil {
		return nil, err
	}
	n := records(out)
	if n > MaxRecords {
		return nil, fmt.Errorf("%w: more than %d records", kgo.ErrMaxDecompress, MaxRecords)
	}
	u.mu.Lock()
	u.used += int64(len(out) + n*recordCost)
	u.mu.Unlock()
	return out, nil
}

func (u *Unpacker) full() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.most > 0 && u.used >= u.most
}

func (u *Unpacker) unpack(src []byte, codec kgo.CompressionCodecType) ([]byte, error) {
	switch codec {
	case kgo.CodecGzip:
		r := gzips.Get().(*gzip.Reader) //nolint:forcetypeassert // it holds nothing else
		defer gzips.Put(r)
		if err := r.Reset(bytes.NewReader(src)); err != nil {
			return nil, err
		}
		return read(r)
	case kgo.CodecLz4:
		return u.lz4.unpack(src)
	case kgo.CodecSnappy:
		return snappy(src)
	case kgo.CodecZstd:
		d, err := u.zstdDecoder()
		if err != nil {
			return nil, err
		}
		out, err := d.DecodeAll(src, nil)
		if errors.Is(err, zstd.ErrDecoderSizeExceeded) || errors.Is(err, zstd.ErrWindowSizeExceeded) {
			return nil, fmt.Errorf("%w: %w", kgo.ErrMaxDecompress, err)
		}
		return out, err
	}
	return nil, fmt.Errorf("compression %d is unknown", codec)
}

// Readers are kept for reuse, as their buffers are large.
var (
	gzips = sync.Pool{New: func() any { return new(gzip.Reader) }}
	lz4s  = sync.Pool{New: func() any { return lz4.NewReader(nil) }}
)

func (u *Unpacker) zstdDecoder() (*zstd.Decoder, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.zstd == nil {
		d, err := zstd.NewReader(nil, zstd.WithDecoderLowmem(true), zstd.WithDecoderConcurrency(0), zstd.WithDecoderMaxMemory(MaxBytes))
		if err != nil {
			return nil, err
		}
		u.zstd = d
	}
	return u.zstd, nil
}

// scratch is where batches are unpacked before it is known how much they hold. It has room for two of lz4's largest blocks, into which
// their reader then unpacks without a buffer of its own in between.
var scratch = sync.Pool{New: func() any { return bytes.NewBuffer(make([]byte, 0, 8<<20)) }}

// read reads to the end, and no more than MaxBytes.
func read(r io.Reader) ([]byte, error) {
	out := scratch.Get().(*bytes.Buffer) //nolint:forcetypeassert // it holds nothing else
	out.Reset()
	n, err := out.ReadFrom(io.LimitReader(r, MaxBytes+1))
	if n > MaxBytes { // nor is a buffer of that size kept
		return nil, kgo.ErrMaxDecompress
	}
	defer scratch.Put(out)
	return bytes.Clone(out.Bytes()), err
}

// framing begins what Java's clients write: a header of 16 bytes, then blocks, each after its length.
var framing = []byte{0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0}

// snappy unpacks one block, or a row of them. Their headers say how much they hold, so that it is known before.
func snappy(src []byte) ([]byte, error) {
	blocks := [][]byte{src}
	if len(src) > 16 && bytes.HasPrefix(src, framing) {
		blocks = nil
		for rest := src[16:]; len(rest) > 0; {
			if len(rest) < 4 || uint64(binary.BigEndian.Uint32(rest)) > uint64(len(rest)-4) { //nolint:gosec // a length, of four at least
				return nil, errors.New("broken framing of snappy blocks")
			}
			end := 4 + binary.BigEndian.Uint32(rest)
			blocks = append(blocks, rest[4:end])
			rest = rest[end:]
		}
	}
	total := 0
	for _, b := range blocks {
		n, err := s2.DecodedLen(b)
		if err != nil {
			return nil, err
		}
		if total += n; total > MaxBytes {
			return nil, kgo.ErrMaxDecompress
		}
	}
	if len(blocks) == 1 {
		return s2.Decode(nil, blocks[0])
	}
	out := make([]byte, 0, total)
	for _, b := range blocks {
		n, _ := s2.DecodedLen(b)
		if _, err := s2.Decode(out[len(out):len(out)+n], b); err != nil { // in place: there is room
			return nil, err
		}
		out = out[:len(out)+n]
	}
	return out, nil
}

// records counts the records of a batch, each of which begins with its length; it stops past MaxRecords, and where they break.
func records(b []byte) int {
	n := 0
	for len(b) > 0 && n <= MaxRecords {
		length, size := binary.Varint(b)
		if size <= 0 || length < 0 || length > int64(len(b)-size) {
			break
		}
		b = b[int64(size)+length:]
		n++
	}
	return n
}
