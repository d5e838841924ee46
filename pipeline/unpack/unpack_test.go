package unpack

import (
	"bytes"
	"runtime"
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
		require.NoError(t, err)
		require.True(t, bytes.Equal(want, got))
	})
}
