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
		"id":"x","account_id":"y","at":"z","external_ids":{"zendesk":"1"},"targets":{},"targets.active_days":5,"address":{"city":"Bern"},"tags":["a"],"phone":null}`))
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

func TestFoldTrait(t *testing.T) {
	at := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	fold := func(key, value string) (trait, error) {
		return foldTrait(trait{value: "1"}, true, &kgo.Record{Key: []byte(key), Value: []byte(value), Timestamp: at.Add(time.Hour)})
	}
	got, err := fold("acme|plan", string(encodeTrait("acme", "plan", `"pro"`, at)))
	require.NoError(t, err)
	require.Equal(t, trait{value: `"pro"`, at: at}, got)
	got, err = fold("acme", `{"account_id":"acme","plan":"pro","seats":5}`)
	require.NoError(t, err)
	require.Equal(t, trait{at: at.Add(time.Hour)}, got, "an account record of somebody else")
	for _, bad := range []string{``, `[]`, `{"a":1,"a":2}`, `{`} {
		kept, err := fold("acme|plan", bad)
		require.Error(t, err, bad)
		require.Equal(t, trait{value: "1"}, kept)
	}
}
