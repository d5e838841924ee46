package board

import (
	"context"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// TestNewsReachWhoWasShownTheOld: what was read just before the news came is shared for as long as it is fresh, and whoever is shown it is
// told when to come again. Its time is virtual.
func TestNewsReachWhoWasShownTheOld(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		version, reads := uint32(1), 0
		c := newCache(func() uint32 { return version })
		takes := time.Duration(0)
		get := func() (content, time.Duration) {
			got, again, err := c.get(t.Context(), "panel", time.Second, func(context.Context) (content, error) {
				reads++
				at := version
				time.Sleep(takes)
				return Message{Title: strconv.FormatUint(uint64(at), 10)}, nil
			})
			require.NoError(t, err)
			return got, again
		}
		shows := func(title string, again time.Duration) {
			t.Helper()
			got, in := get()
			require.Equal(t, Message{Title: title}, got)
			require.Equal(t, again, in)
		}
		shows("1", 0)
		time.Sleep(300 * time.Millisecond)
		shows("1", 0)
		version = 2
		shows("1", 700*time.Millisecond)
		time.Sleep(700 * time.Millisecond)
		shows("2", 0)
		require.Equal(t, 2, reads)

		// The news come while it is read.
		time.Sleep(time.Second)
		takes = 2 * time.Second
		time.AfterFunc(time.Second, func() { version = 3 })
		shows("2", 6*time.Second)
		time.Sleep(6 * time.Second)
		shows("3", 0)
	})
}
