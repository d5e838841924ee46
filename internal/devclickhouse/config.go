package devclickhouse

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"text/template"

	"github.com/google/uuid"
)

// Database is the database that the three roles work in. They may also use any other whose name starts with it, so that
// tests can have a fresh one each.
const Database = "tidemark"

// Role is one of the engine's users. They can only be declared in users.xml: the embedded engine has no CREATE USER.
type Role string

// The roles, each with Database as its default database.
const (
	Migrator Role = "migrator" // Migrator creates, alters and drops tables, and reads and writes them.
	Writer   Role = "writer"   // Writer inserts and reads.
	Reader   Role = "reader"   // Reader reads only (readonly=2): dashboards, BI tools.
	Eraser   Role = "eraser"   // Eraser deletes rows and overwrites columns, and inserts nothing.
)

//go:embed config.xml.tmpl users.xml.tmpl
var templates embed.FS

type user struct {
	Name           Role
	PasswordSHA256 string
	Profile        string
	Grants         []string
	Policies       map[string]string // by table
}

// Tenant is a further user, who reads those rows of Database that the row policies leave.
type Tenant struct {
	User, Password string
	Policies       map[string]string // condition that a row must meet, by table; a table without one is read whole
}

// users gives every role what its clients need. All may read the system tables, as drivers and BI tools do to list tables,
// columns, parts and settings; rows about tables that a role can't see are left out by ClickHouse.
func users(passwords map[Role]string, opts *Options) []user {
	all := []user{
		{Migrator, sha256Hex(passwords[Migrator]), "default", []string{
			"GRANT ALL ON " + Database + "*.*",
			"GRANT TABLE ENGINE ON *",
			"GRANT SELECT ON system.*",
		}, nil},
		{Writer, sha256Hex(passwords[Writer]), "default", []string{
			"GRANT SHOW, SELECT, INSERT ON " + Database + "*.*",
			"GRANT SELECT ON system.*",
		}, nil},
		{Reader, sha256Hex(passwords[Reader]), "reader", []string{
			"GRANT SHOW, SELECT ON " + Database + "*.*",
			"GRANT SELECT ON system.*",
		}, nil},
		{Eraser, sha256Hex(passwords[Eraser]), "default", []string{
			"GRANT SHOW, SELECT, ALTER DELETE, ALTER UPDATE ON " + Database + "*.*",
			"GRANT SELECT ON system.*",
		}, nil},
	}
	for i := range all {
		if grants, ok := opts.Grants[all[i].Name]; ok {
			all[i].Grants = grants
		}
	}
	for _, t := range opts.Tenants {
		all = append(all, user{Role(t.User), sha256Hex(t.Password), "reader", []string{"GRANT SHOW, SELECT ON " + Database + ".*"}, t.Policies})
	}
	return all
}

func sha256Hex(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

// layout names the files below Options.Dir.
type layout struct{ root string }

func (l layout) config() string { return filepath.Join(l.root, "config.xml") }
func (l layout) users() string  { return filepath.Join(l.root, "users.xml") }
func (l layout) ports() string  { return filepath.Join(l.root, "ports.tsv") }
func (l layout) lock() string   { return filepath.Join(l.root, "lock") }
func (l layout) log() string    { return filepath.Join(l.root, "engine.log") }
func (l layout) data() string   { return filepath.Join(l.root, "data") }

// write lays out the directory: configuration, users and the two databases. Data of an earlier run is kept.
func (l layout) write(passwords map[Role]string, opts Options) error {
	// Without the folder metadata the engine does not start its background tasks.
	metadata := filepath.Join(l.data(), "metadata")
	if err := os.MkdirAll(metadata, 0o750); err != nil {
		return fmt.Errorf("make the data directory: %w", err)
	}
	cluster, err := parseShards(opts.Shards)
	if err != nil {
		return err
	}
	values := map[string]any{"UsersFile": l.users(), "Database": Database, "Users": users(passwords, &opts), "Shards": cluster, "Backups": opts.Backups}
	for name, path := range map[string]string{"config.xml.tmpl": l.config(), "users.xml.tmpl": l.users()} {
		if err := render(name, path, values); err != nil {
			return err
		}
	}
	// Without its file, system would be a Memory database and forget its tables.
	for _, database := range []string{"system", Database} {
		if err := attachDatabase(filepath.Join(metadata, database+".sql"), database); err != nil {
			return err
		}
	}
	return nil
}

// shard is a server of the cluster, and as whom it is asked.
type shard struct{ Host, Port, User, Password string }

func parseShards(addresses []string) ([]shard, error) {
	var all []shard
	for _, a := range addresses {
		u, err := url.Parse(a)
		if err != nil {
			return nil, fmt.Errorf("read the address of a shard: %w", err)
		}
		password, _ := u.User.Password()
		all = append(all, shard{u.Hostname(), u.Port(), u.User.Username(), password})
	}
	return all, nil
}

func render(name, path string, values any) error {
	t, err := template.New(name).Funcs(template.FuncMap{"xml": escapeXML}).ParseFS(templates, name)
	if err != nil {
		return fmt.Errorf("parse %s: %w", name, err)
	}
	var out bytes.Buffer
	if err := t.Execute(&out, values); err != nil {
		return fmt.Errorf("fill in %s: %w", name, err)
	}
	if err := os.WriteFile(path, out.Bytes(), 0o600); err != nil {
		return fmt.Errorf("write the engine's configuration: %w", err)
	}
	return nil
}

func escapeXML(s string) (string, error) {
	var out bytes.Buffer
	err := xml.EscapeText(&out, []byte(s))
	return out.String(), err
}

func attachDatabase(path, name string) error {
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	statement := fmt.Sprintf("ATTACH DATABASE %s UUID '%s' ENGINE = Atomic\n", name, uuid.NewString())
	// Renamed into place: the engine would refuse to start on a half-written file.
	if err := os.WriteFile(path+".new", []byte(statement), 0o600); err != nil {
		return fmt.Errorf("declare the database %s: %w", name, err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return fmt.Errorf("declare the database %s: %w", name, err)
	}
	return nil
}
