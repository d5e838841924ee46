package config

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestNormaliseSection: what is wrong with a raw topic is said with its line, or its key, and the name that was probably meant.
func TestNormaliseSection(t *testing.T) {
	t.Chdir(t.TempDir())
	load := func(text string) (Config, error) {
		require.NoError(t, os.WriteFile("t.yaml", []byte("normalise:\n"+text), 0o600))
		return Load("t.yaml", nil)
	}
	cfg, err := load("  registry: {urls: [https://registry.example.com]}\n  topics:\n    crm.public.customers: {format: debezium}\n    app-events: {format: cloudevents}\n    hooks: {format: json, kind: zendesk}\n    surveys: {format: avro, to: signals}\n")
	require.NoError(t, err)
	require.Equal(t, "accounts", cfg.Normalise.Topics["crm.public.customers"].To)
	require.Equal(t, "telemetry", cfg.Normalise.Topics["app-events"].To)
	const registry = "  registry: {urls: [http://r]}\n"
	for _, tc := range []struct{ text, message string }{
		{"  topics:\n    a: {format: avor, to: tickets}\n", `t.yaml:3: format "avor" is unknown; did you mean avro?`},
		{registry + "  topics:\n    a: {format: avro, to: tikets}\n", `t.yaml:4: to "tikets" is unknown; did you mean tickets?`},
		{"  topics:\n    a: {fromat: json, to: tickets}\n", `t.yaml:3: a has no key "fromat"; did you mean format?`},
		{"  topics:\n    a: {format: json}\n", "t.yaml:3: neither to nor events is set; say what the records are (to: tickets) or what becomes of them (events)"},
		{"  topics:\n    a: {format: json, to: tickets, kind: zendesk}\n", "t.yaml:3: to and events are both set; records either are tickets already, or become events by rules: keep one"},
		{"  topics:\n    a: {format: json, kind: zendesc}\n", `t.yaml:3: kind "zendesc" is unknown; did you mean zendesk?`},
		{"  topics:\n    a: {format: debezium, to: tickets}\n", "t.yaml:3: rows are accounts; to make tickets of them, say how under events"},
		{"  topics:\n    a:\n      format: json\n      events:\n        - event: {nam: $.x, user_id: $.u}\n", "t.yaml:6: an event has no field \"nam\"; did you mean name?\nt.yaml:6: an event needs name"},
		{"  topics:\n    a:\n      format: json\n      events:\n        - account: {plan: $.plan}\n", "t.yaml:6: an account needs account_id"},
		{"  topics:\n    a:\n      format: json\n      events:\n        - event: {name: x}\n          ticket: {kind: created}\n", "t.yaml:6: an event is one of ticket, survey, event and account; declare one of them"},
		{"  topics:\n    a: {format: avro, to: tickets}\n", "normalise.topics.a: its format avro needs a schema registry; set normalise.registry.urls"},
		{"  topics:\n    tickets: {format: json, to: tickets}\n", "normalise.topics.tickets: it is kafka.topics.tickets as well, which Tidemark itself writes; read another topic"},
		{"  topics:\n    a b: {format: json, to: tickets}\n", `normalise.topics.a b: "a b" is no topic name; use 1 to 249 of the characters a-z A-Z 0-9 . _ -`},
		{"  group: tidemark\n", "normalise.group: tidemark is kafka.group as well; give it a group of its own"},
		{"  registry: {urls: [registry]}\n", `normalise.registry.urls: "registry" is no URL such as https://registry.example.com`},
		{"  registry: {user: u}\n", "normalise.registry.user: a user and its password go together; set normalise.registry.user and normalise.registry.password_file, or neither"},
	} {
		_, err := load(tc.text)
		require.EqualError(t, err, tc.message, tc.text)
	}
}
