package deadletters

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func transform(t *testing.T, text string) (*Transform, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "mend.yaml")
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	return LoadTransform(file)
}

// A transform changes what it says, and leaves everything else as it is written, order and numbers included.
func TestTransform(t *testing.T) {
	l := &Letter{
		Topic: "telemetry", Reason: "bad_time", Key: []byte("k"), At: time.Date(2026, 3, 1, 10, 0, 0, 5e6, time.UTC),
		Value: []byte(`{ "ts": 1772359200, "big": 12345678901234567890, "z":1, "props":{"a.b":[1, 2], "x":{"y":1.50}}, "a":null}`),
	}
	for name, tc := range map[string]struct{ yaml, key, value string }{
		"set a value":     {`steps: [{set: $.type, value: track}]`, "k", `{"ts":1772359200,"big":12345678901234567890,"z":1,"props":{"a.b":[1, 2], "x":{"y":1.50}},"a":null,"type":"track"}`},
		"set by CEL":      {`steps: [{set: $.ts, cel: timestamp(record.ts)}, {set: $.a, cel: "{'n': [record.z + 1, 0.5]}"}]`, "k", `{"ts":"2026-03-01T10:00:00Z","big":12345678901234567890,"z":1,"props":{"a.b":[1, 2], "x":{"y":1.50}},"a":{"n":[2,0.5]}}`},
		"set on the way":  {`steps: [{set: $.c.d, cel: at}]`, "k", `{"ts":1772359200,"big":12345678901234567890,"z":1,"props":{"a.b":[1, 2], "x":{"y":1.50}},"a":null,"c":{"d":"2026-03-01T10:00:00.005Z"}}`},
		"move":            {`steps: [{move: "$.props['a.b']", to: $.list}, {move: $.none, to: $.z}]`, "k", `{"ts":1772359200,"big":12345678901234567890,"z":1,"props":{"x":{"y":1.50}},"a":null,"list":[1, 2]}`},
		"remove":          {`steps: [{remove: $.props.x.y}, {remove: $.a}, {remove: $.none.at.all}]`, "k", `{"ts":1772359200,"big":12345678901234567890,"z":1,"props":{"a.b":[1, 2],"x":{}}}`},
		"one after other": {`steps: [{set: $.z, cel: record.z + 1}, {set: $.z, cel: record.z * 10}]`, "k", `{"ts":1772359200,"big":12345678901234567890,"z":20,"props":{"a.b":[1, 2], "x":{"y":1.50}},"a":null}`},
		"key":             {"when: reason == 'bad_time' && topic == 'telemetry' && key == 'k'\nkey: string(record.z)", "1", string(l.Value)},
	} {
		t.Run(name, func(t *testing.T) {
			tr, err := transform(t, tc.yaml)
			require.NoError(t, err)
			key, value, meant, err := tr.Apply(l)
			require.NoError(t, err)
			require.True(t, meant)
			require.Equal(t, tc.key, string(key))
			require.JSONEq(t, tc.value, string(value))
			require.Equal(t, tc.value, string(value))
		})
	}
	tr, err := transform(t, "when: reason == 'future'\nsteps: [{remove: $.a}]")
	require.NoError(t, err)
	_, _, meant, err := tr.Apply(l)
	require.NoError(t, err)
	require.False(t, meant)
	for yaml, says := range map[string]string{
		"steps: [{set: $.x, cel: record.none + 1}]": "step 1: \"record.none + 1\": no such key: none",
		"steps: [{set: $.z.y, value: 1}]":           "step 1: $.z: it is not one JSON object",
		"key: record.a":                             "is no text",
	} {
		tr, err := transform(t, yaml)
		require.NoError(t, err)
		_, _, _, err = tr.Apply(l)
		require.ErrorContains(t, err, says)
	}
	_, _, _, err = tr.Apply(&Letter{Value: []byte(`{"type":`)})
	require.ErrorIs(t, err, errNoObject)
}

func TestMistakesInTransforms(t *testing.T) {
	for yaml, says := range map[string]string{
		"stpes: [{remove: $.a}]":                     `mend.yaml:1: `,
		"when: 'true'":                               "it changes nothing",
		"when: reason\nsteps: [{remove: $.a}]":       `mend.yaml:1: "reason" is a string, not a bool`,
		"steps:\n  - {remove: a}":                    `mend.yaml:2: "a" is no path to a member`,
		"steps:\n  - {remove: '$.a[0]'}":             `elements of lists cannot be changed one by one`,
		"steps:\n  - {set: $.a}":                     "mend.yaml:2: a step is ",
		"steps:\n  - {set: $.a, value: 1, cel: '1'}": "mend.yaml:2: a step is ",
		"steps:\n  - {move: $.a}":                    "mend.yaml:2: a step is ",
		"steps:\n  - {set: $.a, cel: recrd.x}":       "undeclared reference to 'recrd'",
		"steps:\n  - {remove: $.a}\nkey: 1":          `mend.yaml:3: "1" is a int, not a string`,
	} {
		_, err := transform(t, yaml)
		require.ErrorContains(t, err, says, yaml)
	}
}

func TestDiff(t *testing.T) {
	require.Equal(t, []string{`- $.a: 1`, `+ $.a: "1"`, `- $.b.c: [1,2]`, `+ $.d: {}`}, Diff([]byte(`{"a":1,"b":{"c":[1, 2]},"e":1}`), []byte(`{"e":1,"a":"1","d":{}}`)))
	require.Equal(t, []string{"- $: x", "+ $: y"}, Diff([]byte("x"), []byte("y")))
}
