package config

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"

	"go.yaml.in/yaml/v3"

	"tidemark/schemas"
	"tidemark/schemas/secret"
)

// Tenants are the ClickHouse users who read the rows of some accounts only, by name.
type Tenants map[string]*Tenant

// Tenant is one of them.
type Tenant struct {
	schemas.Pos  `yaml:"-"`
	Password     Secret   `yaml:"password"`
	PasswordFile string   `yaml:"password_file"`
	Accounts     []string `yaml:"accounts"`
}

// Accounts are the accounts that each user sees.
func (t Tenants) Accounts() map[string][]string {
	out := make(map[string][]string, len(t))
	for user, tenant := range t {
		out[user] = tenant.Accounts
	}
	return out
}

// tenantName is what needs no quoting in ClickHouse.
var tenantName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// DecodeYAML reads the section; file is for errors, which begin with file and line.
func (t *Tenants) DecodeYAML(file string, node *yaml.Node) error {
	tenants := Tenants{}
	if err := schemas.DecodeNode(file, node, &tenants); err != nil {
		return err
	}
	var errs []error
	for _, user := range slices.Sorted(maps.Keys(tenants)) {
		switch tenant := tenants[user]; {
		case !tenantName.MatchString(user):
			errs = append(errs, fmt.Errorf("%s:%d: clickhouse.tenants: %q is no name of a user; use letters, digits and _, not a digit first", file, node.Line, user))
		case tenant == nil:
			errs = append(errs, fmt.Errorf("%s:%d: clickhouse.tenants.%s is empty; give it password_file and accounts", file, node.Line, user))
		default:
			if err := tenant.complete(); err != nil {
				errs = append(errs, fmt.Errorf("%s: clickhouse.tenants.%s: %w", tenant.Pos, user, err))
			}
		}
	}
	*t = tenants
	return errors.Join(errs...)
}

// complete reads the password and says what is missing.
func (t *Tenant) complete() error {
	if slices.Contains(t.Accounts, "") {
		return errors.New("an account is empty; remove it")
	}
	switch {
	case t.Password.IsSet() && t.PasswordFile != "":
		return errors.New("password and password_file are both set; keep one")
	case t.Password.IsSet():
		return nil
	case t.PasswordFile == "":
		return errors.New("has no password; set password_file to a file that holds it")
	}
	var err error
	if t.Password, err = secret.File(t.PasswordFile); err != nil {
		return fmt.Errorf("password_file: %w", err)
	}
	return nil
}
