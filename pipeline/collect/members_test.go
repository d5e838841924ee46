package collect

import (
	"encoding/json"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestObjectKeepsBytes(t *testing.T) {
	raw := ` { "a" : 1.50 , "big":9007199254740993,"e":1E400, "s":"\u00e9\ud83d\ude00 \" ] }", "n":null,
		"o":{ "x" : [ 1 , {"y":"]}"} ] }, "":[] } `
	o, err := parseObject([]byte(raw))
	require.NoError(t, err)
	require.Equal(t, `1.50`, string(o.get("a")))
	require.Equal(t, `{ "x" : [ 1 , {"y":"]}"} ] }`, string(o.get("o")))
	require.True(t, o.has("a"))
	require.False(t, o.has("n"), "null counts as absent")
	require.Nil(t, o.get("missing"))

	o.set("a", []byte(`2`))
	o.set("z", []byte(`"<&>"`))
	o.remove("n")
	require.Equal(t, `{"a":2,"big":9007199254740993,"e":1E400,"s":"\u00e9\ud83d\ude00 \" ] }","o":{ "x" : [ 1 , {"y":"]}"} ] },"":[],"z":"<&>"}`,
		string(o.encode()))
}

func TestParseObjectRefuses(t *testing.T) {
	for _, raw := range []string{`[]`, `1`, `null`, `"x"`, ``, `  `} {
		_, err := parseObject([]byte(raw))
		require.ErrorIs(t, err, errNotObject, raw)
	}
	_, err := parseObject([]byte(`{"a":1,"b":2,"\u0061":3}`))
	require.EqualError(t, err, `"a" appears twice: send it once`)

	var long []string
	for i := range 100 {
		long = append(long, fmt.Sprintf(`"k%d":%d`, i, i))
	}
	o, err := parseObject([]byte("{" + strings.Join(long, ",") + "}"))
	require.NoError(t, err)
	require.Len(t, o, 100)
	_, err = parseObject([]byte("{" + strings.Join(long, ",") + `,"k7":0}`))
	require.EqualError(t, err, `"k7" appears twice: send it once`)
}

// A body of many members must not take time that grows with their square.
func TestParseObjectIsLinear(t *testing.T) {
	var b strings.Builder
	b.WriteString(`{"x":0`)
	for i := range 150_000 {
		fmt.Fprintf(&b, `,"%x":0`, i)
	}
	b.WriteString("}")
	started := worked(t)
	_, err := parseObject([]byte(b.String()))
	require.NoError(t, err)
	require.Less(t, worked(t)-started, 10*time.Second) // the square takes far longer
}

// worked is how long this process has computed: waiting for a busy machine does
// not count.
func worked(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	require.NoError(t, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// TestObjectRoundTrip: whatever the object, an edit changes only what it names.
func TestObjectRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.MapOf(rapid.String(), jsonValue(3)).Draw(t, "object")
		raw, err := json.MarshalIndent(want, rapid.SampledFrom([]string{"", " \t"}).Draw(t, "prefix"), " ")
		require.NoError(t, err)
		o, err := parseObject(raw)
		require.NoError(t, err)
		name := rapid.String().Draw(t, "name")
		if rapid.Bool().Draw(t, "remove") {
			o.remove(name)
			delete(want, name)
		} else {
			o.set(name, []byte(`"edited"`))
			want[name] = "edited"
		}
		expected, err := json.Marshal(want)
		require.NoError(t, err)
		require.JSONEq(t, string(expected), string(o.encode()))
	})
}

func jsonValue(depth int) *rapid.Generator[any] {
	options := []*rapid.Generator[any]{
		rapid.String().AsAny(), rapid.Int().AsAny(), rapid.Bool().AsAny(), rapid.Float64Range(-1e9, 1e9).AsAny(), rapid.Just[any](nil),
	}
	if depth > 0 {
		options = append(options,
			rapid.SliceOfN(jsonValue(depth-1), 0, 4).AsAny(),
			rapid.MapOfN(rapid.String(), jsonValue(depth-1), 0, 4).AsAny())
	}
	return rapid.OneOf(options...)
}
