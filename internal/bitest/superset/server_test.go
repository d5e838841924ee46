//go:build bi

package superset

import (
	"crypto/rand"
	"net/url"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tidemark/internal/devclickhouse"
	"tidemark/internal/devclickhouse/chtest"
	"tidemark/internal/e2e"
)

const (
	demoTimeout = 15 * time.Minute // for two weeks of 16 accounts, on a busy machine
	stepTimeout = 5 * time.Minute  // for one command of Superset
)

// simulated is an engine with what the demo's pipeline wrote: a customer base's last two weeks.
func simulated(t *testing.T) *devclickhouse.Server {
	t.Helper()
	dir := t.TempDir()
	demo := e2e.Start(t, e2e.Binary(t, ""), "demo", nil,
		"demo", "--data-dir", dir, "--accounts", "16", "--history", "336h", "--duration", "5s", "--seed", "6",
		"--board-port", "0", "--kafka-port", "0", "--clickhouse-port", "0", "--clickhouse-http-port", "0", "--collector-port", "0", "--admin-port", "0")
	ends(t, demo, demoTimeout)
	require.Contains(t, demo.Log(t), "0 differences")
	return chtest.StartWith(t, devclickhouse.Options{Dir: filepath.Join(dir, "clickhouse")})
}

func ends(t *testing.T, p *e2e.Process, within time.Duration) {
	t.Helper()
	select {
	case <-p.Done:
		require.NoError(t, p.Err, "%s\n%s", p.Name, p.Log(t))
	case <-time.After(within):
		require.Fail(t, "does not end", "%s\n%s", p.Name, p.Log(t))
	}
}

func reader(t *testing.T, engine *devclickhouse.Server) login {
	t.Helper()
	u, err := url.Parse(engine.HTTPURL(devclickhouse.Reader))
	require.NoError(t, err)
	port, err := strconv.Atoi(u.Port())
	require.NoError(t, err)
	password, _ := u.User.Password()
	return login{Host: u.Hostname(), Port: port, User: u.User.Username(), Password: password, Database: devclickhouse.Database}
}

// startSuperset starts a Superset as its documentation tells to, from an empty directory and on a port that the kernel
// picks; it ends with the test.
func startSuperset(t *testing.T, python string) plan {
	t.Helper()
	bin := filepath.Dir(python)
	config, err := filepath.Abs("python/superset_config.py")
	require.NoError(t, err)
	p := plan{User: "analyst", Password: rand.Text()}
	env := []string{
		"SUPERSET_CONFIG_PATH=" + config, "SUPERSET_HOME=" + t.TempDir(), "TIDEMARK_SUPERSET_SECRET=" + rand.Text(),
		"FLASK_APP=superset.app:create_app()", "PYTHONDONTWRITEBYTECODE=1",
	}
	for _, args := range [][]string{
		{"db", "upgrade"},
		{"fab", "create-admin", "--username", p.User, "--password", p.Password, "--firstname", "A", "--lastname", "B", "--email", "a@example.com"},
		{"init"},
	} {
		ends(t, e2e.Start(t, filepath.Join(bin, "superset"), "superset-"+args[0], env, args...), stepTimeout)
	}
	server := e2e.Start(t, filepath.Join(bin, "gunicorn"), "superset", env,
		"--bind", "127.0.0.1:0", "--worker-class", "gthread", "--workers", "1", "--threads", "8", "--timeout", "300", "superset.app:create_app()")
	t.Cleanup(func() { server.Terminate(t) }) // so that its worker ends with it
	p.Superset = server.Says(t, `Listening at: (http://127\.0\.0\.1:[1-9]\d*)`)
	return p
}
