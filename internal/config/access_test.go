package config

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestAccess: keys with a scope, policies, origins and the certificate are read, and what is wrong with them is said with its line.
func TestAccess(t *testing.T) {
	t.Chdir(t.TempDir())
	require.NoError(t, os.WriteFile("key", []byte("new\nold\n"), 0o600))
	load := func(text string) (Config, error) {
		require.NoError(t, os.WriteFile("tidemark.yaml", []byte("collector:\n"+text), 0o600))
		return Load("tidemark.yaml", nil)
	}
	cfg, err := load(`  listen: ":8080"
  tls: {cert_file: c.pem, key_file: k.pem}
  cors_origins: [https://app.example.com, "*"]
  hash_key: 0123456789abcdef0123456789abcdef
  sources: {hooks: {kind: zendesk}}
  keys:
    browser: {secret_file: key, sources: [segment, hooks], types: [track], rate: {per_second: 0.5, burst: 10}}
  privacy:
    segment: {allow: [properties.plan], hash: [userId]}
    hooks:
`)
	require.NoError(t, err)
	secrets, err := cfg.Collector.Keys["browser"].Secrets()
	require.NoError(t, err)
	require.Equal(t, []string{"new", "old"}, secrets)
	require.Equal(t, []string{"properties.plan"}, cfg.Collector.Privacy["segment"].Allow)
	for text, want := range map[string]string{
		"  keys:\n    a: {}\n":                                                 "tidemark.yaml:3: a key needs either secret_file, with one secret a line, or secret",
		"  keys:\n    a:\n":                                                    "tidemark.yaml:3: collector.keys.a is empty; give it a secret_file",
		"  keys:\n    a: {secret_file: nowhere}\n":                             "tidemark.yaml:3: open nowhere: no such file or directory",
		"  keys:\n    a: {secret: x, types: [trakc]}\n":                        `tidemark.yaml:3: type "trakc" is unknown; did you mean track?`,
		"  keys:\n    a: {secret: x, sources: [segmnt]}\n":                     `tidemark.yaml:3: source "segmnt" is unknown; did you mean segment?`,
		"  keys:\n    a: {secret: x, rate: {burst: 1}}\n":                      "tidemark.yaml:3: rate needs per_second and burst, both above 0, or neither",
		"  keys:\n    A: {secret: x}\n":                                        `tidemark.yaml:3: "A" is no name of a key; use a-z, 0-9, _ and -, a letter first`,
		"  privacy: {segment: {hash: [userId]}}\n":                             "tidemark.yaml:2: hashing needs a key; set collector.hash_key_file to a file with 32 random bytes or more",
		"  privacy: {segment: {allow: [plan]}}\n":                              `tidemark.yaml:2: "plan" is no path below properties, traits, context, such as properties.plan`,
		"  privacy: {accounts: {}}\n":                                          "tidemark.yaml:2: accounts has no events, so that there is nothing to keep or to hash",
		"  privacy: {sgment: {}}\n":                                            `tidemark.yaml:2: source "sgment" is unknown; did you mean segment?`,
		"  privacy: {signals: {allow: [properties.x]}}\n":                      "tidemark.yaml:2: the fields of signals are fixed; hash those that name somebody, such as user_id",
		"  cors_origins: [app.example.com]\n":                                  `collector.cors_origins: "app.example.com" is no origin; write it as https://app.example.com, without a path, or *`,
		"  cors_origins: [https://app.example.com/]\n":                         `collector.cors_origins: "https://app.example.com/" is no origin; write it as https://app.example.com, without a path, or *`,
		"  tls: {cert_file: c.pem}\n":                                          "collector.tls: a certificate and its key go together; set cert_file and key_file, or neither",
		"  hash_key: short\n":                                                  "collector.hash_key: has 5 bytes, so that it could be guessed; use 32 random ones, such as from: head -c 32 /dev/urandom | base64",
		"  listen: \":8080\"\n  keys: {}\n":                                    "collector.write_keys: none is set, so anybody who reaches :8080 could write; set collector.keys, or collector.write_keys_file to a file with one key a line, or listen on 127.0.0.1",
		"  keys: {a: {secret: x, secret_file: key}}\n":                         "tidemark.yaml:2: a key needs either secret_file, with one secret a line, or secret",
		"  keys: {a: {secrt: x}}\n":                                            `tidemark.yaml:2: a has no key "secrt"; did you mean secret?`,
		"  keys: {a: {secret: x, rate: {per_second: -1, burst: -1}}}\n":        "tidemark.yaml:2: rate needs per_second and burst, both above 0, or neither",
		"  privacy: {posthog: {hash: [\"\"]}}\n  hash_key: 0123456789abcdef\n": "tidemark.yaml:2: one of the paths is empty; remove it",
	} {
		_, err := load(text)
		require.EqualError(t, err, want, text)
	}
}
