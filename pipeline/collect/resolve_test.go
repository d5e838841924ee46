package collect

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// resolveBatch resolves a batch received at noon, given what is known.
func resolveBatch(t *testing.T, known map[string]membership, batch string) ([]string, changes) {
	t.Helper()
	q, refused := parseRequest([]byte(`{"batch":[`+batch+`]}`), callBatch, testLimits)
	require.Nil(t, refused)
	require.Nil(t, stamp(q.messages, noon))
	r := &resolver{known: func(user string) (membership, bool) { m, ok := known[user]; return m, ok }, received: noon, ignored: func(string) {}}
	r.resolve(q.messages)
	var accounts []string
	for _, m := range q.messages {
		accounts = append(accounts, m.account)
	}
	return accounts, r.changes
}

func users(c changes) map[string]string {
	out := map[string]string{}
	for user, m := range c.users {
		out[user] = m.account
	}
	return out
}

func TestResolve(t *testing.T) {
	morning := noon.Add(-3 * time.Hour)
	known := map[string]membership{"u:ada": {"acme", morning}, "a:x": {"globex", morning}}
	for _, test := range []struct {
		name, batch string
		accounts    []string
		users       map[string]string
	}{
		{"from the users topic", `{"type":"track","event":"e","userId":"ada"}`, []string{"acme"}, nil},
		{"by the anonymous id", `{"type":"track","event":"e","userId":"new","anonymousId":"x"}`, []string{"globex"}, nil},
		{"the user id counts first", `{"type":"track","event":"e","userId":"ada","anonymousId":"x"}`, []string{"acme"}, nil},
		{"the event's own account counts most", `{"type":"track","event":"e","userId":"ada","context":{"groupId":"other"}}`, []string{"other"}, nil},
		{"user ids and anonymous ids are apart", `{"type":"track","event":"e","userId":"x"},{"type":"track","event":"e","anonymousId":"ada"}`, []string{"", ""}, nil},
		{
			"a group call counts from then on",
			`{"type":"track","event":"e","userId":"ada"},{"type":"group","userId":"ada","groupId":"initech"},{"type":"track","event":"e","userId":"ada"}`,
			[]string{"acme", "initech", "initech"}, map[string]string{"u:ada": "initech"},
		},
		{
			"and for earlier events of a user without account",
			`{"type":"track","event":"e","userId":"new"},{"type":"group","userId":"new","anonymousId":"n","groupId":"initech"}`,
			[]string{"initech", "initech"}, map[string]string{"u:new": "initech", "a:n": "initech"},
		},
		{
			"group over context",
			`{"type":"group","userId":"new","groupId":"initech","context":{"groupId":"other"}}`,
			[]string{"initech"}, map[string]string{"u:new": "initech"},
		},
		{
			"identify with a company",
			`{"type":"identify","userId":"new","traits":{"company":{"id":7}}},{"type":"page","userId":"new"}`,
			[]string{"7", "7"}, map[string]string{"u:new": "7"},
		},
		{"identify without", `{"type":"identify","userId":"new","traits":{"company":"Initech"}}`, []string{""}, nil},
		{
			"a late group call does not undo a later one",
			`{"type":"group","userId":"ada","groupId":"old","timestamp":"2026-03-01T08:59:59Z"},{"type":"track","event":"e","userId":"ada"}`,
			[]string{"old", "acme"}, nil,
		},
		{
			"alias takes the account along",
			`{"type":"alias","userId":"new","previousId":"x"},{"type":"track","event":"e","userId":"new"}`,
			[]string{"globex", "globex"}, map[string]string{"u:new": "globex"},
		},
		{
			"alias gives it back",
			`{"type":"alias","userId":"ada","previousId":"old"},{"type":"track","event":"e","anonymousId":"old"}`,
			[]string{"acme", "acme"}, map[string]string{"u:old": "acme", "a:old": "acme"},
		},
		{
			"alias before the group call",
			`{"type":"track","event":"e","anonymousId":"n"},{"type":"alias","userId":"new","previousId":"n"},{"type":"group","userId":"new","groupId":"initech"}`,
			[]string{"initech", "initech", "initech"}, map[string]string{"u:new": "initech", "u:n": "initech", "a:n": "initech"},
		},
		{"alias keeps what both have", `{"type":"alias","userId":"ada","previousId":"x"}`, []string{"acme"}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			accounts, changes := resolveBatch(t, known, test.batch)
			require.Equal(t, test.accounts, accounts)
			if test.users == nil {
				test.users = map[string]string{}
			}
			require.Equal(t, test.users, users(changes))
		})
	}
}

// TestResolveClock: a client's clock that is ahead cannot keep later calls out.
func TestResolveClock(t *testing.T) {
	_, changes := resolveBatch(t, nil, `{"type":"group","userId":"ada","groupId":"acme","timestamp":"2036-03-01T00:00:00Z"}`)
	require.Equal(t, membership{"acme", noon}, changes.users["u:ada"])
	require.Equal(t, noon, changes.accounts["acme"].at)
}

func TestResolveTraits(t *testing.T) {
	_, changes := resolveBatch(t, nil, `
		{"type":"group","userId":"a","groupId":"acme","timestamp":"2026-03-01T10:00:00Z","traits":{"plan":"free","seats":5}},
		{"type":"group","userId":"b","groupId":"acme","timestamp":"2026-03-01T11:00:00Z","traits":{"plan":"pro"}},
		{"type":"identify","userId":"c","traits":{"company":{"id":"globex","name":"Globex","employee_count":300}}}`)
	require.Equal(t, map[string]string{"plan": `"pro"`, "seats": "5"}, changes.accounts["acme"].patch)
	require.Equal(t, time.Date(2026, 3, 1, 11, 0, 0, 0, time.UTC), changes.accounts["acme"].at)
	require.Equal(t, map[string]string{"name": `"Globex"`, "employees": `"300"`}, changes.accounts["globex"].patch)
}
