package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"

	"tidemark/internal/config"
	"tidemark/internal/demo"
	"tidemark/internal/devclickhouse"
	"tidemark/sinks/clickhouse/migrate"
)

type devClickHouseCmd struct {
	HTTPPort   int    `name:"http-port" default:"8123" env:"TIDEMARK_DEV_CLICKHOUSE_HTTP_PORT" help:"HTTP port on 127.0.0.1 (${default}; 0: any free one)."`
	NativePort int    `default:"9000" env:"TIDEMARK_DEV_CLICKHOUSE_NATIVE_PORT" help:"Native port on 127.0.0.1 (${default}; 0: any free one)."`
	DataDir    string `default:".tidemark/clickhouse" env:"TIDEMARK_DEV_CLICKHOUSE_DATA_DIR" placeholder:"DIR" help:"Where tables are kept (${default})."`
}

// engineStop bounds the engine's orderly end; what it has acknowledged is safe without one.
const engineStop = 30 * time.Second

// devRole is a login of the embedded ClickHouse and where the configuration has it.
type devRole struct {
	role  devclickhouse.Role
	login config.Login
}

func devRoles(c *config.ClickHouse) []devRole {
	return []devRole{{devclickhouse.Migrator, c.Migrator}, {devclickhouse.Writer, c.Writer}, {devclickhouse.Reader, c.Reader}, {devclickhouse.Eraser, c.Eraser}}
}

// devTenants are the configuration's.
func devTenants(c *config.ClickHouse) []devclickhouse.Tenant {
	var tenants []devclickhouse.Tenant
	for user, tenant := range c.Tenants {
		tenants = append(tenants, devclickhouse.Tenant{User: user, Password: tenant.Password.Reveal(), Policies: migrate.RowPolicies(devclickhouse.Database)})
	}
	return tenants
}

// Run serves ClickHouse's protocols until it is told to end. Passwords are those of the configuration, and where it has
// none the names of the roles: only this machine reaches the ports.
func (d *devClickHouseCmd) Run(ctx context.Context, g *globals) error {
	cfg, err := g.load()
	if err != nil {
		return err
	}
	passwords := map[devclickhouse.Role]string{}
	for _, r := range devRoles(&cfg.ClickHouse) {
		if passwords[r.role] = r.login.Password.Reveal(); passwords[r.role] == "" {
			passwords[r.role] = string(r.role)
		}
	}
	engine, err := startEngine(ctx, g, devclickhouse.Options{
		Dir: d.DataDir, HTTPPort: d.HTTPPort, NativePort: d.NativePort, Passwords: passwords,
		Tenants: devTenants(&cfg.ClickHouse),
	})
	if err != nil {
		return explainDisk(withoutExitCode(err), d.DataDir)
	}
	fmt.Fprintf(g.stdout, "# ClickHouse listens on %s (HTTP) and %s (native) and keeps its data in %s. Ctrl-C stops it. To use it:\n%s\n",
		engine.HTTPAddr(), engine.NativeAddr(), shown(d.DataDir), strings.Join(d.exports(&cfg.ClickHouse, engine), "\n"))
	select {
	case <-ctx.Done():
	case <-engine.Done():
		return explainDisk(withoutExitCode(engine.Err()), d.DataDir)
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), engineStop)
	defer cancel()
	return engine.Stop(stop)
}

// exports are the variables that lead the configuration to the engine. A password that the configuration has stays out.
func (d *devClickHouseCmd) exports(c *config.ClickHouse, engine *devclickhouse.Server) []string {
	addr := engine.NativeAddr()
	if c.Protocol == "http" {
		addr = engine.HTTPAddr()
	}
	lines := []string{export("TIDEMARK_CLICKHOUSE_ADDR", addr)}
	if c.Database != devclickhouse.Database {
		lines = append(lines, export("TIDEMARK_CLICKHOUSE_DATABASE", devclickhouse.Database))
	}
	for _, r := range devRoles(c) {
		name := "TIDEMARK_CLICKHOUSE_" + strings.ToUpper(string(r.role))
		if r.login.User != string(r.role) {
			lines = append(lines, export(name+"_USER", string(r.role)))
		}
		if !r.login.Password.IsSet() {
			lines = append(lines, export(name+"_PASSWORD", string(r.role)))
		}
	}
	return lines
}

// startEngine starts the engine and shows the progress of its download, which happens once a version.
func startEngine(ctx context.Context, g *globals, opts devclickhouse.Options) (*devclickhouse.Server, error) {
	line := demo.NewLine(g.stderr)
	defer line.End()
	opts.Progress = func(done, total int64) {
		line.Show(time.Now(), "fetching ClickHouse's engine, once: %d of %d MB", done>>20, total>>20)
	}
	return devclickhouse.Start(ctx, opts)
}

// withoutExitCode keeps the engine's exit code from becoming this command's.
func withoutExitCode(err error) error {
	var ended *exec.ExitError
	if errors.As(err, &ended) {
		return errors.New(err.Error())
	}
	return err
}

type devEngineCmd struct {
	ConfigJSON string `name:"config-json" required:"" help:"What devclickhouse.Start passes."`
}

// Run turns this process into the engine until it is told to end.
func (d *devEngineCmd) Run() error {
	cfg, err := devclickhouse.ParseEngineConfig(d.ConfigJSON)
	if err != nil {
		return err
	}
	return devclickhouse.RunEngine(cfg)
}
