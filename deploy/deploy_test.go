// Package deploy tests what running Tidemark takes: the compose file, the rules for Prometheus and the dashboards.
package deploy

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/stretchr/testify/require"

	"tidemark/internal/config"
	"tidemark/sinks/clickhouse/migrate"
)

var update = flag.Bool("update", false, "write the files that are made from Go, to be committed")

// project loads docker-compose.yml as Compose itself does: schema, anchors and interpolation.
func project(t *testing.T) *types.Project {
	t.Helper()
	options, err := cli.NewProjectOptions([]string{"../docker-compose.yml"}, cli.WithWorkingDirectory(".."), cli.WithProfiles([]string{"normalise"}), cli.WithResolvedPaths(true))
	require.NoError(t, err)
	p, err := options.LoadProject(t.Context())
	require.NoError(t, err)
	return p
}

// environment is a service's, as a process gets it.
func environment(s types.ServiceConfig) []string {
	var env []string
	for key, value := range s.Environment {
		if value != nil {
			env = append(env, key+"="+*value)
		}
	}
	return env
}

// TestCompose holds what the compose file promises. No container can be started here: images and ports are taken on trust.
func TestCompose(t *testing.T) {
	p := project(t)
	pinned := regexp.MustCompile(`^[a-z/-]+:v?\d+(\.\d+)+$`)
	ours := 0
	for name, s := range p.Services {
		for _, v := range s.Volumes {
			if v.Type == types.VolumeTypeBind {
				requireSomething(t, v.Source)
			}
		}
		for _, port := range s.Ports {
			require.Equal(t, "127.0.0.1", port.HostIP, "%s opens a port beyond this host", name)
		}
		if name != "migrate" { // ends
			require.NotNil(t, s.HealthCheck, "%s has no health check", name)
		}
		if s.Build == nil {
			require.Regexp(t, pinned, s.Image, name)
			continue
		}
		ours++
		require.FileExists(t, filepath.Join(s.Build.Context, s.Build.Dockerfile))
		require.True(t, s.ReadOnly, "%s can write to its file system", name)
		require.Equal(t, []string{"ALL"}, s.CapDrop, name)
		file := ""
		if name == "normaliser" {
			file = s.Volumes[0].Source
		}
		c, err := config.Load(file, environment(s))
		require.NoError(t, err, "%s: Tidemark refuses its environment", name)
		require.Equal(t, name == "normaliser", len(c.Normalise.Topics) > 0, name)
		require.Equal(t, []string{"kafka:9092"}, c.Kafka.Brokers)
		require.Equal(t, []string{"clickhouse:9000"}, c.ClickHouse.Addr)
	}
	require.Equal(t, 5, ours)
	require.Equal(t, 2, *p.Services["pipeline"].Deploy.Replicas)
	require.Greater(t, *p.Services["pipeline"].StopGracePeriod, types.Duration(0))
	for _, name := range []string{"pipeline", "collector", "triggers", "normaliser"} {
		require.Equal(t, types.ServiceConditionCompletedSuccessfully, p.Services[name].DependsOn["migrate"].Condition, "%s starts before its topics are there", name)
	}
}

// requireSomething requires a file, or a directory that is not empty.
func requireSomething(t *testing.T, path string) {
	t.Helper()
	entries, err := os.ReadDir(path)
	if errors.Is(err, syscall.ENOTDIR) {
		require.FileExists(t, path)
		return
	}
	require.NoError(t, err)
	require.NotEmpty(t, entries, path)
}

// TestAccountsAreTheGrants holds the compose file's accounts to the grants that Tidemark prints: go test ./deploy -update.
func TestAccountsAreTheGrants(t *testing.T) {
	script, err := migrate.RoleGrants(migrate.DefaultAccounts())
	require.NoError(t, err)
	_, script, _ = strings.Cut(script, "\n")
	want := "-- Made by go test ./deploy -update from sinks/clickhouse/migrate/grants.sql. The passwords are the accounts' names: for one host only.\n" +
		strings.ReplaceAll(script, "CHANGE-ME-", "")
	const file = "clickhouse/accounts.sql"
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(want), 0o600))
	}
	got, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, want, string(got))
	env := project(t).Services["pipeline"].Environment
	for _, role := range []string{"migrator", "writer", "reader"} {
		require.Equal(t, role, *env["TIDEMARK_CLICKHOUSE_"+strings.ToUpper(role)+"_PASSWORD"])
		require.Contains(t, want, "BY '"+role+"'")
	}
}
