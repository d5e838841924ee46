package collect

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
)

func TestAccountPatch(t *testing.T) {
	traits, err := parseObject([]byte(`{"name":"Acme \"Ltd\"","industry":"Steel","employees":120,"plan":"pro","createdAt":"2024-02-01","seats":"25",
		"segment":"mid","stage":"live","owner":"kim","mrr":1999.50,"renewalAt":"2026-12-01T01:00:00+01:00","vip":true,
		"id":"x","account_id":"y","at":"z","external_ids":{"zendesk":"1"},"targets":{},"address":{"city":"Bern"},"tags":["a"],"phone":null}`))
	require.NoError(t, err)
	patch := accountPatch(traits, func(trait string) { require.Fail(t, "ignored", trait) })
	require.Equal(t, map[string]string{
		"name": `"Acme \"Ltd\""`, "industry": `"Steel"`, "employees": `"120"`, "plan": `"pro"`, "created_at": `"2024-02-01T00:00:00.000Z"`,
		"seats": `25`, "segment": `"mid"`, "stage": `"live"`, "owner": `"kim"`, "mrr": `1999.50`, "renewal_at": `"2026-12-01T00:00:00.000Z"`, "vip": `"true"`,
	}, patch)
}

func TestAccountPatchIgnoresWrongTypes(t *testing.T) {
	traits, err := parseObject([]byte(`{"seats":"many","mrr":"$5","createdAt":"last year","renewalAt":5,"plan":"pro"}`))
	require.NoError(t, err)
	var ignored []string
	patch := accountPatch(traits, func(trait string) { ignored = append(ignored, trait) })
	require.Equal(t, map[string]string{"plan": `"pro"`}, patch)
	require.ElementsMatch(t, []string{"seats", "mrr", "created_at", "renewal_at"}, ignored)
	for _, seats := range []string{`1.5`, `1e30`, `"0x10"`, `"NaN"`, `true`} {
		_, ok := attributeValue("seats", []byte(seats))
		require.False(t, ok, seats)
	}
	for _, mrr := range []string{`"NaN"`, `"Inf"`, `""`, `1e999`, `false`} {
		_, ok := attributeValue("mrr", []byte(mrr))
		require.False(t, ok, mrr)
	}
}

func TestFoldAccount(t *testing.T) {
	at := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	fold := func(old account, value string) account {
		t.Helper()
		folded, err := foldAccount(old, true, &kgo.Record{Value: []byte(value), Timestamp: at.Add(time.Hour)})
		require.NoError(t, err)
		return folded
	}
	a := fold(account{}, `{"account_id":"acme","at":"2026-03-01T00:00:00Z","plan":"pro","external_ids":{"zendesk":"1"}}`)
	require.Equal(t, account{attributes: map[string]string{"plan": `"pro"`, "external_ids.zendesk": `"1"`}, at: at, whole: true}, a)
	a = fold(a, `{"account_id":"acme","seats":5,"external_ids":{"jira":"2"}}`)
	require.Equal(t, account{
		attributes: map[string]string{"plan": `"pro"`, "seats": `5`, "external_ids.zendesk": `"1"`, "external_ids.jira": `"2"`},
		at:         at.Add(time.Hour), whole: false,
	}, a)
	encoded := encodeAccount("acme", a.at, a.attributes)
	require.Equal(t, `{"account_id":"acme","at":"2026-03-01T01:00:00.000Z","external_ids":{"jira":"2","zendesk":"1"},"plan":"pro","seats":5}`, string(encoded))
	require.True(t, fold(a, string(encoded)).whole)

	for _, bad := range []string{``, `[]`, `{"targets":5}`, `{"a":1,"a":2}`, `{`} {
		kept, err := foldAccount(a, true, &kgo.Record{Value: []byte(bad)})
		require.Error(t, err, bad)
		require.Equal(t, a, kept)
	}
}
