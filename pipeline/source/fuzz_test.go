package source

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// FuzzMetadata holds that what a commit carries, which any client of the group can write, is refused with an error or is the
// metadata that its own text says again.
func FuzzMetadata(f *testing.F) {
	for _, s := range []string{
		Metadata{TopicID: "AAAAAAAAAAAAAAAAAAAAAA", Watermark: -1, WarmFrom: 1 << 63, Catalogue: "0123456789abcdef", OpenRows: 7}.String(),
		``, `{}`, `null`, `{"topic":""}`, `{"topic":7}`, `{"topic":"x","warm":-1}`, `{"topic":"x","open":1e3}`, `{"TOPIC":"x"}`, "\xff", `{"topic":"\ud800"}`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		m, err := ParseMetadata(text)
		if err != nil {
			require.Less(t, len(err.Error()), 1000)
			require.True(t, utf8.ValidString(err.Error()))
			return
		}
		again, err := ParseMetadata(m.String())
		require.NoError(t, err)
		require.Equal(t, m, again)
	})
}

// FuzzID holds that a source's name says exactly which source it is.
func FuzzID(f *testing.F) {
	f.Add("telemetry", int32(3), []byte("0123456789abcdef"))
	f.Add("a/1@b", int32(-1), []byte{})
	f.Fuzz(func(t *testing.T, topic string, partition int32, id []byte) {
		s := ID{Topic: topic, Partition: partition}
		copy(s.TopicID[:], id)
		name := s.String()
		at := strings.LastIndexByte(name, '@')
		raw, err := base64.RawURLEncoding.DecodeString(name[at+1:])
		require.NoError(t, err)
		back := ID{Topic: topic}
		copy(back.TopicID[:], raw)
		_, err = fmt.Sscanf(name[strings.LastIndexByte(name[:at], '/')+1:at], "%d", &back.Partition)
		require.NoError(t, err)
		require.Equal(t, s, back)
		require.Equal(t, topic, name[:strings.LastIndexByte(name[:at], '/')])
	})
}
