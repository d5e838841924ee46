package unpack

import (
	"bytes"
	"errors"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
)

var codecs = map[string]kgo.CompressionCodec{
	"gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(), "lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
}

func pack(t testing.TB, codec kgo.CompressionCodec, content []byte) ([]byte, kgo.CompressionCodecType) {
	t.Helper()
	c, err := kgo.DefaultCompressor(codec)
	require.NoError(t, err)
	out, kind := c.Compress(new(bytes.Buffer), content)
	return bytes.Clone(out), kind
}

// events are n records of a few hundred bytes, as a batch holds them.
func events(n int) []byte {
	record := append([]byte{0x80, 0x05}, bytes.Repeat([]byte("0123456789"), 32)...) // 320 bytes after their length
	return bytes.Repeat(record, n)
}

func TestUnpacksWhatTheClientPacks(t *testing.T) {
	for name, codec := range codecs {
		t.Run(name, func(t *testing.T) {
			for _, content := range [][]byte{{}, events(1), events(10_000)} {
				packed, kind := pack(t, codec, content)
				u := New(1 << 30)
				for range 2 { // a reader is used again
					got, err := u.Decompress(packed, kind)
					require.NoError(t, err)
					require.True(t, bytes.Equal(content, got))
				}
				if len(content) > 0 {
					_, err := u.Decompress(packed[:len(packed)/2], kind)
					require.Error(t, err)
					require.NotErrorIs(t, err, kgo.ErrMaxDecompress)
				}
			}
		})
	}
	out, err := New(0).Decompress([]byte("as it is"), kgo.CodecNone)
	require.NoError(t, err)
	require.Equal(t, "as it is", string(out))
	_, err = New(0).Decompress(nil, 7)
	require.ErrorContains(t, err, "unknown")
}

// TestFramedSnappy: Java's clients write blocks of 32 KB.
func TestFramedSnappy(t *testing.T) {
	framed := append(bytes.Clone(framing), 0, 0, 0, 1, 0, 0, 0, 1)
	var want []byte
	for i := range 3 {
		block := s2.EncodeSnappy(nil, events(i+1))
		framed = append(framed, 0, 0, byte(len(block)>>8), byte(len(block)))
		framed = append(framed, block...)
		want = append(want, events(i+1)...)
	}
	got, err := New(0).Decompress(framed, kgo.CodecSnappy)
	require.NoError(t, err)
	require.True(t, bytes.Equal(want, got))
	_, err = New(0).Decompress(framed[:len(framed)-1], kgo.CodecSnappy)
	require.ErrorContains(t, err, "broken framing")
}

// frames are of every kind that lz4's format has, each of the same events, in blocks of 64 KiB.
func frames(t testing.TB) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	content := events(1000)
	for name, options := range map[string][]lz4.Option{
		"as Java's":         {lz4.ChecksumOption(false)},
		"all checksums":     {lz4.ChecksumOption(true), lz4.BlockChecksumOption(true)},
		"says its size":     {lz4.SizeOption(uint64(len(content)))},
		"legacy":            {lz4.LegacyOption(true)},
		"does not compress": {},
	} {
		var out bytes.Buffer
		w := lz4.NewWriter(&out)
		require.NoError(t, w.Apply(append(options, lz4.BlockSizeOption(lz4.Block64Kb))...))
		of := content
		if name == "does not compress" {
			of = noise(len(content))
		}
		_, err := w.Write(of)
		require.NoError(t, err)
		require.NoError(t, w.Close())
		all[name] = bytes.Clone(out.Bytes())
	}
	plain := all["as Java's"]
	all["two frames"] = append(bytes.Clone(plain), plain...)
	// A stored block of 100 bytes, and one that repeats the first eight of them and ends in five of its own.
	all["linked blocks"] = slices.Concat([]byte{4, 0x22, 0x4d, 0x18, lz4Version1, 0x40, 0xc0, 100, 0, 0, 0x80}, content[:100],
		[]byte{9, 0, 0, 0, 0x04, 100, 0, 0x50}, []byte("tail!"), []byte{0, 0, 0, 0})
	return all
}

// noise does not compress.
func noise(n int) []byte {
	out := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{}).Read(out) // never fails
	return out
}

func TestEveryKindOfLz4Frame(t *testing.T) {
	own := kgo.DefaultDecompressor()
	for name, frame := range frames(t) {
		t.Run(name, func(t *testing.T) {
			want, err := own.Decompress(frame, kgo.CodecLz4)
			require.NoError(t, err)
			fast := lz4Frame(make([]byte, 0, len(want)), frame)
			if name == "legacy" || name == "two frames" {
				require.Nil(t, fast)
			} else {
				require.True(t, bytes.Equal(want, fast))
			}
			require.Nil(t, lz4Frame(make([]byte, 0, len(want)-1), frame), "it does not fit")
			u := New(0)
			for range 2 { // the second time it is known how much room it takes
				got, err := u.Decompress(frame, kgo.CodecLz4)
				require.NoError(t, err)
				require.True(t, bytes.Equal(want, got))
			}
			for cut := range min(len(frame), 300) {
				require.Nil(t, lz4Frame(make([]byte, 0, len(want)), frame[:len(frame)-1-cut]))
			}
		})
	}
}

// One batch that holds a lot for its size must not make those after it take as much.
func TestRoomIsGivenBack(t *testing.T) {
	u := New(0)
	dense, kind := pack(t, kgo.Lz4Compression(), events(50_000))
	sparse, _ := pack(t, kgo.Lz4Compression(), noise(1<<20))
	_, err := u.Decompress(dense, kind)
	require.NoError(t, err)
	for range 100 {
		got, err := u.Decompress(sparse, kind)
		require.NoError(t, err)
		require.LessOrEqual(t, cap(got), 2*len(got))
	}
	ratio := math.Float64frombits(u.lz4.ratio.Load())
	require.InDelta(t, 1.125, ratio, 0.01)
}

// bombs are small batches of gigabytes, and a header that promises them.
func bombs(t *testing.T) map[string][]byte {
	t.Helper()
	const size = 1 << 30
	block := make([]byte, 1<<20)
	var g, l, z bytes.Buffer
	gw, lw := gzip.NewWriter(&g), lz4.NewWriter(&l)
	zw, err := zstd.NewWriter(&z)
	require.NoError(t, err)
	for range size / len(block) {
		for _, w := range []interface{ Write([]byte) (int, error) }{gw, lw, zw} {
			_, err := w.Write(block)
			require.NoError(t, err)
		}
	}
	require.NoError(t, gw.Close())
	require.NoError(t, lw.Close())
	require.NoError(t, zw.Close())
	return map[string][]byte{"gzip": g.Bytes(), "lz4": l.Bytes(), "zstd": z.Bytes(), "snappy": {0xff, 0xff, 0xff, 0xff, 0x07, 0, 'x'}}
}

func TestBombs(t *testing.T) {
	kinds := map[string]kgo.CompressionCodecType{"gzip": kgo.CodecGzip, "lz4": kgo.CodecLz4, "zstd": kgo.CodecZstd, "snappy": kgo.CodecSnappy}
	for name, bomb := range bombs(t) {
		t.Run(name, func(t *testing.T) {
			require.Less(t, len(bomb), 5<<20)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := New(0).Decompress(bomb, kinds[name])
			runtime.ReadMemStats(&after)
			require.ErrorIs(t, err, kgo.ErrMaxDecompress)
			require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(8*MaxBytes), "in all, as buffers grow")
		})
	}
}

func TestTooManyRecords(t *testing.T) {
	smallest := []byte{12, 0, 0, 0, 1, 1, 0} // six bytes after the length
	for name, codec := range codecs {
		packed, kind := pack(t, codec, bytes.Repeat(smallest, MaxRecords))
		_, err := New(0).Decompress(packed, kind)
		require.NoError(t, err, name)
		packed, kind = pack(t, codec, bytes.Repeat(smallest, MaxRecords+1))
		_, err = New(0).Decompress(packed, kind)
		require.ErrorIs(t, err, kgo.ErrMaxDecompress, name)
	}
}

// TestFull: of many batches some wait for the next fetch, whatever each holds.
func TestFull(t *testing.T) {
	packed, kind := pack(t, kgo.ZstdCompression(), events(1000))
	u := New(int64(len(events(1000))) + 1000*recordCost + 1)
	for range 3 {
		for range 2 {
			_, err := u.Decompress(packed, kind)
			require.NoError(t, err)
		}
		_, err := u.Decompress(packed, kind)
		require.ErrorIs(t, err, ErrFull)
		require.NotErrorIs(t, err, kgo.ErrMaxDecompress)
		u.Reset()
	}
}

// FuzzUnpack holds that any bytes are unpacked as the client's own decompressor does, or are an error, within bounds.
func FuzzUnpack(f *testing.F) {
	for _, codec := range codecs {
		packed, kind := pack(f, codec, events(3))
		f.Add(packed, uint8(kind))
		f.Add(packed[:len(packed)-2], uint8(kind))
	}
	for _, frame := range frames(f) {
		f.Add(frame, uint8(kgo.CodecLz4))
	}
	f.Add(append(bytes.Clone(framing), make([]byte, 20)...), uint8(kgo.CodecSnappy))
	own := kgo.DefaultDecompressor()
	f.Fuzz(func(t *testing.T, packed []byte, codec uint8) {
		kind := kgo.CompressionCodecType(codec % 6)
		got, err := New(0).Decompress(packed, kind)
		if err != nil {
			return
		}
		require.LessOrEqual(t, len(got), max(MaxBytes, len(packed)))
		want, err := own.Decompress(packed, kind)
		for _, unread := range []error{lz4.ErrInvalidHeaderChecksum, lz4.ErrInvalidBlockChecksum, lz4.ErrInvalidFrameChecksum} {
			if errors.Is(err, unread) {
				return // Kafka's is of the whole batch
			}
		}
		require.NoError(t, err)
		require.True(t, bytes.Equal(want, got))
	})
}
