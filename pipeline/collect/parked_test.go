package collect

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
)

// roomTest drives a waiting room by hand.
type roomTest struct {
	*testing.T
	*waitingRoom
	accounts map[string]string
	offset   int64
}

func newRoomTest(t *testing.T) *roomTest {
	r := &roomTest{T: t, accounts: map[string]string{}}
	r.waitingRoom = newWaitingRoom(func(user string) (string, bool) { account, ok := r.accounts[user]; return account, ok })
	return r
}

func (r *roomTest) park(key, event string) {
	r.Helper()
	require.NoError(r, r.apply(&kgo.Record{Key: []byte(key), Value: []byte(event), Offset: r.offset, Timestamp: noon}))
	r.offset++
}

func (r *roomTest) tombstone(key string) {
	require.NoError(r, r.apply(&kgo.Record{Key: []byte(key), Offset: r.offset}))
	r.offset++
}

func keys(leaving []departure) []string {
	out := []string{}
	for _, d := range leaving {
		out = append(out, d.key+"="+d.account)
	}
	return out
}

func TestWaitingRoom(t *testing.T) {
	r := newRoomTest(t)
	r.park("k1", track("m1", "ada"))
	r.park("k2", `{"type":"page","userId":"bob","anonymousId":"x","messageId":"m2"}`)
	r.park("k3", track("m3", "ada"))
	require.Empty(t, r.leave(10))
	require.False(t, r.learned("u:carol"))

	r.accounts["u:ada"] = "acme"
	require.True(t, r.learned("u:ada"))
	require.Equal(t, []string{"k1=acme"}, keys(r.leave(1)))
	require.Equal(t, []string{"k3=acme"}, keys(r.leave(9)))
	require.Empty(t, r.leave(9), "an event leaves once")

	r.accounts["a:x"] = "globex"
	require.True(t, r.learned("a:x"), "the anonymous id counts as well")
	require.Equal(t, []string{"k2=globex"}, keys(r.leave(9)))

	r.tombstone("k1")
	r.tombstone("k2")
	require.Len(t, r.events, 1)
	r.park("k4", track("m4", "ada"))
	require.Equal(t, []string{"k4=acme"}, keys(r.leave(9)), "the account may be known before the event comes")
	r.tombstone("k3")
	r.tombstone("k4")
	require.Empty(t, r.events)
	require.Empty(t, r.byUser)
}

func TestWaitingRoomParkedAgain(t *testing.T) {
	r := newRoomTest(t)
	r.accounts["u:ada"] = "acme"
	r.park("k", track("m", "ada"))
	r.park("k", track("m", "ada"))
	require.Equal(t, []string{"k=acme"}, keys(r.leave(9)), "one key is one event")

	// Parked a third time after the tombstone of the first release, at offset 2.
	r.offset = 3
	r.park("k", track("m", "ada"))
	r.remove("k", 2)
	require.Len(t, r.events, 1, "the tombstone does not reach what came after it")
}

func TestWaitingRoomGivesUp(t *testing.T) {
	r := newRoomTest(t)
	for i := range 5 {
		received := noon.Add(time.Duration(i) * time.Hour).Format(wireTime)
		r.park(fmt.Sprintf("k%d", i), fmt.Sprintf(`{"type":"page","userId":"u%d","receivedAt":%q}`, i, received))
	}
	require.Empty(t, r.giveUp(9, noon, 5))
	require.Equal(t, []string{"k0=", "k1="}, keys(r.giveUp(9, noon.Add(90*time.Minute), 5)))
	require.Equal(t, []string{"k0=", "k1=", "k2="}, keys(r.giveUp(9, noon, 2)))
	require.Equal(t, []string{"k0="}, keys(r.giveUp(1, noon, 2)))

	d := r.giveUp(1, noon, 2)[0]
	record, err := d.record(Topics{Telemetry: "telemetry"})
	require.NoError(t, err)
	require.Equal(t, "u:u0", string(record.Key))
	require.Equal(t, string(d.value), string(record.Value))
}

func TestWaitingRoomSkipsBadRecords(t *testing.T) {
	r := newRoomTest(t)
	for _, bad := range []string{``, `{`, `[]`, `{"type":"track"}`} {
		require.Error(t, r.apply(&kgo.Record{Key: []byte("k"), Value: []byte(bad)}), bad)
	}
	require.Empty(t, r.events)
}

func TestParkedKeysAreApart(t *testing.T) {
	require.Equal(t, "u:ada|m1", parkedKey("u:ada", "m1"))
	require.NotEqual(t, parkedKey("u:a|b", "c"), parkedKey("u:a", "b|c"))
	require.NotEqual(t, parkedKey("u:a%7Cb", "c"), parkedKey("u:a|b", "c"))
}
