package config

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTenants(t *testing.T) {
	t.Parallel()
	cfg, err := Load(write(t, "tidemark.yaml", "clickhouse:\n  tenants:\n    acme: {password: pw, accounts: [acme, acme-eu]}\n    nobody: {password: pw}\n"), nil)
	require.NoError(t, err)
	require.Equal(t, map[string][]string{"acme": {"acme", "acme-eu"}, "nobody": nil}, cfg.ClickHouse.Tenants.Accounts())
	for text, want := range map[string]string{
		"acme: {accounts: [a]}":                      "tidemark.yaml:3: clickhouse.tenants.acme: has no password; set password_file to a file that holds it",
		"acme: {password: a, password_file: b}":      "tidemark.yaml:3: clickhouse.tenants.acme: password and password_file are both set; keep one",
		"acme: {password_file: /nowhere}":            "tidemark.yaml:3: clickhouse.tenants.acme: password_file: open /nowhere: no such file or directory",
		"acme: {password: a, accounts: ['']}":        "tidemark.yaml:3: clickhouse.tenants.acme: an account is empty; remove it",
		"acme: {password: a, account: [a]}":          `tidemark.yaml:3: acme has no key "account"; did you mean accounts?`,
		"acme:":                                      "tidemark.yaml:3: clickhouse.tenants.acme is empty; give it password_file and accounts",
		"'a; DROP DATABASE tidemark': {password: a}": `tidemark.yaml:3: clickhouse.tenants: "a; DROP DATABASE tidemark" is no name of a user; use letters, digits and _, not a digit first`,
		"writer: {password: a}":                      "clickhouse.tenants.writer: is a user of Tidemark's own, who sees more; give the tenant a user of its own",
	} {
		require.Equal(t, []string{want}, problemsOf(t, "clickhouse:\n  tenants:\n    "+text+"\n"), text)
	}
}
