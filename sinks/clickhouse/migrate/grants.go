package migrate

import (
	_ "embed" // for the script
	"fmt"
	"regexp"
	"strings"
)

//go:embed grants.sql
var grants string

// Accounts are the names on a real server that the grants are for.
type Accounts struct {
	Database, Migrator, Writer, Reader, Eraser string
	Tenants                                    []string
}

// DefaultAccounts are those of the default configuration.
func DefaultAccounts() Accounts {
	return Accounts{Database: "tidemark", Migrator: "migrator", Writer: "writer", Reader: "reader", Eraser: "eraser"}
}

var accountName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// RoleGrants is the SQL script by which an administrator prepares a ClickHouse server: the database, the four accounts and
// their rights. The passwords in it are placeholders. It can be run again.
func RoleGrants(a Accounts) (string, error) {
	names := map[string]string{"database": a.Database, "migrator": a.Migrator, "writer": a.Writer, "reader": a.Reader, "eraser": a.Eraser}
	for _, tenant := range a.Tenants {
		names["tenant "+tenant] = tenant
	}
	for what, name := range names {
		if !accountName.MatchString(name) {
			return "", fmt.Errorf("%s %q: grants can be printed only for names that match %s", what, name, accountName)
		}
	}
	return strings.NewReplacer(
		"{database}", a.Database, "{migrator}", a.Migrator, "{writer}", a.Writer, "{reader}", a.Reader, "{eraser}", a.Eraser,
	).Replace(grants + tenantGrants(a)), nil
}
