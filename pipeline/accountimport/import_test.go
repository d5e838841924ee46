package accountimport

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// TestImport: a file is compared with the topic, only what differs is written, and what a record before said stays.
func TestImport(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "accounts"))
	require.NoError(t, err)
	defer cluster.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	options := []kgo.Opt{kgo.SeedBrokers(cluster.ListenAddrs()...)}
	read := func() *Dimension {
		d, err := ReadDimension(ctx, options, "accounts")
		require.NoError(t, err)
		return d
	}
	accounts, err := Read("crm.csv", strings.NewReader("\ufeffaccount_id,plan,seats,mrr,renewal_at,external_ids.zendesk\nacme,pro,25,1200.50,2027-01-15,7\nglobex,free,,,,\n"))
	require.NoError(t, err)
	changes := read().Diff(accounts, noon)
	require.Len(t, changes, 2)
	require.True(t, changes[0].New)
	require.JSONEq(t, `{"account_id":"acme","at":"2026-03-01T12:00:00.000Z","plan":"pro","seats":25,"mrr":1200.50,"renewal_at":"2027-01-15T00:00:00Z","external_ids":{"zendesk":"7"}}`, string(changes[0].record))
	written := 0
	require.NoError(t, Write(ctx, options, "accounts", changes, func(n int) { written = n }))
	require.Equal(t, 2, written)
	require.Empty(t, read().Diff(accounts, noon), "the same file again changes nothing")

	// A trait that a collector wrote later is the latest word on it; the new record keeps it and all that it doesn't name.
	client, err := kgo.NewClient(options...)
	require.NoError(t, err)
	require.NoError(t, client.ProduceSync(ctx, &kgo.Record{Topic: "accounts", Key: []byte("acme|plan"), Value: []byte(`{"account_id":"acme","plan":"enterprise"}`)}).FirstErr())
	client.Close()
	accounts, err = Read("billing.jsonl", strings.NewReader(`{"account_id":"acme","seats":30,"external_ids":{"jira":"SUP"}}`))
	require.NoError(t, err)
	changes = read().Diff(accounts, noon)
	require.Len(t, changes, 1)
	require.Equal(t, map[string][2]string{"seats": {"25", "30"}, "external_ids.jira": {"", "SUP"}}, changes[0].Changes)
	require.JSONEq(t, `{"account_id":"acme","at":"2026-03-01T12:00:00.000Z","plan":"enterprise","seats":30,"mrr":1200.50,"renewal_at":"2027-01-15T00:00:00Z",
		"external_ids":{"zendesk":"7","jira":"SUP"}}`, string(changes[0].record))
}

func TestWrongRows(t *testing.T) {
	for _, tc := range []struct{ name, text, message string }{
		{"a.csv", "id,plan\nacme,pro\n", "a.csv: no column is called account_id; there are id, plan"},
		{"a.csv", "account_id,seats\nacme,many\n", `a.csv:2: seats "many" is not a whole number`},
		{"a.csv", "account_id,seats\nacme\n", "a.csv:2: record on line 2: wrong number of fields"},
		{"a.csv", "account_id,mrr\n,1\n", "a.csv:2: account_id is empty"},
		{"a.csv", "account_id,plan,plan\n", `column "plan" is there twice`},
		{"a.jsonl", "{\"account_id\":\"acme\",\"renewal_at\":\"soon\"}\n", `a.jsonl:1: renewal_at "soon" is neither a date`},
		{"a.jsonl", "\n{\n", "a.jsonl:2: unexpected end of JSON input"},
		{"a.jsonl", `{"account_id":"acme","mrr":"1e"}`, `a.jsonl:1: mrr "1e" is not a number`},
	} {
		_, err := Read(tc.name, strings.NewReader(tc.text))
		require.ErrorContains(t, err, tc.message)
	}
}

// FuzzRead holds that no file brings the reader down, and that what it reads makes a record.
func FuzzRead(f *testing.F) {
	f.Add(true, "account_id,plan,seats\nacme,pro,3\n")
	f.Add(false, `{"account_id":"acme","external_ids":{"a":{"b":1}},"seats":null}`)
	f.Fuzz(func(t *testing.T, csv bool, text string) {
		name := "a.jsonl"
		if csv {
			name = "a.csv"
		}
		accounts, err := Read(name, strings.NewReader(text))
		if err != nil {
			return
		}
		for _, c := range (&Dimension{}).Diff(accounts, noon) {
			require.NotEmpty(t, c.record)
		}
	})
}
