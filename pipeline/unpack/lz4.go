package unpack

import (
	"bytes"
	"encoding/binary"
	"math"
	"sync/atomic"

	"github.com/pierrec/lz4/v4"
)

// What begins a frame of lz4, by https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md, and the bits of its first flags.
const (
	lz4Magic = 0x184D2204

	lz4Version        = 0b11_000000
	lz4Version1       = 0b01_000000
	lz4Independent    = 0b100000
	lz4BlockChecksums = 0b10000
	lz4ContentSize    = 0b1000
	lz4Checksum       = 0b100
	lz4Dictionary     = 0b1

	lz4Stored  = 1 << 31 // of a block's size: it is not compressed
	lz4History = 64 << 10
)

// lz4Unpacker unpacks frames of lz4 straight into what it returns, for which it guesses how much room they take.
type lz4Unpacker struct {
	ratio atomic.Uint64 // bits of a float64: by how much to multiply, by what the batches before held
}

// unpack takes the one frame that Kafka's clients write. Whatever else there may be, and what is broken, is the library's reader's
// to read or to refuse.
func (l *lz4Unpacker) unpack(src []byte) ([]byte, error) {
	ratio := math.Float64frombits(l.ratio.Load())
	out := lz4Frame(make([]byte, 0, min(int(ratio*float64(len(src))), MaxBytes)), src)
	if out == nil {
		r := lz4s.Get().(*lz4.Reader) //nolint:forcetypeassert // it holds nothing else
		defer lz4s.Put(r)
		r.Reset(bytes.NewReader(src))
		var err error
		if out, err = read(r); err != nil {
			return nil, err
		}
	}
	const slack = 1.0 / 8 // more room than the last batch took
	if len(src) > 0 {
		was := (1 + slack) * float64(len(out)) / float64(len(src))
		l.ratio.Store(math.Float64bits(max(was, ratio-(ratio-was)*slack)))
	}
	if cap(out) > 2*len(out) { // the room would be kept as long as the records are
		out = bytes.Clone(out)
	}
	return out, nil
}

// lz4Frame appends what a frame holds to out, within its capacity; nil: it does not fit, or is not a plain frame and nothing more.
// Of the checksums none is looked at: Kafka's own is of the whole batch, and was right.
func lz4Frame(out, src []byte) []byte {
	const header = 7 // magic, two bytes of flags, a checksum
	if len(src) < header || binary.LittleEndian.Uint32(src) != lz4Magic {
		return nil
	}
	flags, rest := src[4], src[header:]
	if flags&lz4Version != lz4Version1 || flags&lz4Dictionary != 0 {
		return nil
	}
	size := uint64(math.MaxUint64)
	if flags&lz4ContentSize != 0 {
		if len(rest) < 8 {
			return nil
		}
		size, rest = binary.LittleEndian.Uint64(src[6:]), rest[8:]
	}
	// A block holds 64 KiB, 256 KiB, 1 MiB or 4 MiB at most.
	index := src[5] >> 4 & 0b111
	if index < 4 {
		return nil
	}
	most := 1 << (8 + 2*int(index))
	for {
		if len(rest) < 4 {
			return nil
		}
		length := binary.LittleEndian.Uint32(rest)
		rest = rest[4:]
		if length == 0 {
			break
		}
		packed := int(length &^ lz4Stored)
		if packed > len(rest) {
			return nil
		}
		block := rest[:packed]
		rest = rest[packed:]
		room := out[len(out):min(len(out)+most, cap(out))]
		var n int
		if length&lz4Stored != 0 {
			if n = copy(room, block); n < len(block) {
				return nil
			}
		} else {
			var history []byte
			if flags&lz4Independent == 0 {
				history = out[max(0, len(out)-lz4History):]
			}
			var err error
			if n, err = lz4.UncompressBlockWithDict(block, room, history); err != nil {
				return nil
			}
		}
		out = out[:len(out)+n]
		if flags&lz4BlockChecksums != 0 {
			if len(rest) < 4 {
				return nil
			}
			rest = rest[4:]
		}
	}
	end := 0
	if flags&lz4Checksum != 0 {
		end = 4
	}
	if len(rest) != end || size != math.MaxUint64 && size != uint64(len(out)) {
		return nil
	}
	return out
}
