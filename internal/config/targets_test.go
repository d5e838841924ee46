package config

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func loadTargets(t *testing.T, targets string) (Config, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "tidemark.yaml")
	require.NoError(t, os.WriteFile(file, []byte("triggers:\n  targets:\n"+targets), 0o600))
	t.Chdir(filepath.Dir(file)) // errors name the file as it was given
	return Load("tidemark.yaml", nil)
}

// Targets are read from the file, and their mistakes are found when it is loaded, each with its line.
func TestTargets(t *testing.T) {
	cfg, err := loadTargets(t, `
    crm: {webhook: {url: "https://crm.example.com/h", secrets: [whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=]}, rate: {per_minute: 30, burst: 5}, timeout: 20s, allow: [10.0.0.0/8]}
    bus: {kafka: {topic: alerts}}
`)
	require.NoError(t, err)
	require.Equal(t, 30, cfg.Triggers.Targets["crm"].Rate.PerMinute)
	require.Equal(t, "alerts", cfg.Triggers.Targets["bus"].Kafka.Topic)
	shown, err := json.Marshal(cfg)
	require.NoError(t, err)
	require.NotContains(t, string(shown)+fmt.Sprintf("%+v %#v", *cfg.Triggers.Targets["crm"].Webhook, *cfg.Triggers.Targets["crm"].Webhook), "whsec_")
}

func TestTargetMistakes(t *testing.T) {
	for yaml, want := range map[string]string{
		"    crm: {webhok: {}}":                            `tidemark.yaml:3: crm has no key "webhok"; did you mean webhook?`,
		"    crm: {webhook: {url: [a]}}":                   "tidemark.yaml:3: cannot unmarshal !!seq into string",
		"    crm: {}":                                      "tidemark.yaml:3: triggers.targets.crm: needs exactly one of webhook, slack, pagerduty, smtp, kafka, log, and has none of them",
		"    crm: {log: {}, kafka: {topic: a}}":            "tidemark.yaml:3: triggers.targets.crm: needs exactly one of webhook, slack, pagerduty, smtp, kafka, log, and has kafka and log",
		"    crm:":                                         "triggers.targets.crm: is empty; give it a webhook, slack, pagerduty, smtp, kafka or log",
		"    a b: {log: {}}":                               "tidemark.yaml:3: triggers.targets.a b: is no name; use a letter, then letters, digits, _ and -",
		"    bus: {kafka: {topic: a b}}":                   `tidemark.yaml:3: triggers.targets.bus: kafka.topic: "a b" is no topic name; use 1 to 249 of the characters a-z A-Z 0-9 . _ -`,
		"    bus:\n      log: {}\n      allow: [10.0.0.1]": `tidemark.yaml:5: triggers.targets.bus: allow: "10.0.0.1" is no network, such as 10.1.0.0/16`,
		"    bus:\n      log: {}\n      timeout: 1h":       "tidemark.yaml:5: triggers.targets.bus: timeout must be at most 1m0s, not 1h0m0s",
		"    bus: {log: {}, rate: {per_minute: 5}}":        "tidemark.yaml:3: triggers.targets.bus: rate.burst must be 1 at least: it is how many messages may go out at once",
		"    chat: {slack: {url: http://x.example.com/}}":  "tidemark.yaml:3: triggers.targets.chat: slack.url: begins with http://, so that anybody on the way can read and change alerts; use https://, or accept it with allow_http: true",
		"    chat: {slack: {}}":                            "tidemark.yaml:3: triggers.targets.chat: slack.url: is not set; set url_file to a file that holds it",
		"    crm: {webhook: {url: \"https://x.example.com\", secrets: [whsec_abc]}}": "tidemark.yaml:3: triggers.targets.crm: webhook.secrets: number 1 is not whsec_ and the base64 of 24 to 64 random bytes; " +
			"make one with: echo whsec_$(head -c 32 /dev/urandom | base64)",
		"    crm: {webhook: {url: \"https://x.example.com\", secrets_file: /nowhere}}": "tidemark.yaml:3: triggers.targets.crm: webhook.secrets_file: open /nowhere: no such file or directory",
		"    page: {pagerduty: {}}": "tidemark.yaml:3: triggers.targets.page: pagerduty.routing_key: is not set; set routing_key_file to a file that holds it",
		"    mail: {smtp: {server: \"m.example.com:587\", from: a@example.com, to: [b@example.com], user: x, password: y, tls: none}}": "tidemark.yaml:3: triggers.targets.mail: smtp.tls: is none, which would send the password readable; use starttls",
		"    mail: {smtp: {server: m.example.com, from: a@example.com, to: [b@example.com]}}":                                          `tidemark.yaml:3: triggers.targets.mail: smtp.server: "m.example.com" is not host:port, such as mail.example.com:587`,
	} {
		t.Run(yaml, func(t *testing.T) {
			_, err := loadTargets(t, yaml+"\n")
			require.EqualError(t, err, want)
		})
	}
}
