package deploy

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/internal/devclickhouse"
	"tidemark/internal/devclickhouse/chtest"
	"tidemark/internal/devkafka"
	"tidemark/internal/e2e"
	"tidemark/internal/ports/portstest"
)

// site is where processes are run as a container would run them: with its command line, its variables and its files, on the embedded
// Kafka and ClickHouse.
type site struct {
	t       *testing.T
	kafka   string
	store   *devclickhouse.Server
	running []*e2e.Process
}

func newSite(t *testing.T, passwords map[devclickhouse.Role]string, topics ...string) *site {
	t.Helper()
	broker, err := devkafka.Start(t.Context(), devkafka.Options{Brokers: 3})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, broker.Close()) })
	s := &site{t: t, kafka: broker.Addrs()[0], store: chtest.StartWith(t, devclickhouse.Options{Dir: t.TempDir(), Passwords: passwords})}
	client, err := kgo.NewClient(kgo.SeedBrokers(s.kafka))
	require.NoError(t, err)
	defer client.Close()
	created, err := kadm.NewClient(client).CreateTopics(t.Context(), 1, 1, nil, topics...)
	require.NoError(t, err)
	require.NoError(t, created.Error())
	return s
}

// local leads a text that is meant for a container to this site.
func (s *site) local(text, admin string) string {
	return strings.NewReplacer(
		"kafka:9092", s.kafka, "clickhouse:9000", s.store.NativeAddr(), "0.0.0.0:9090", admin, "0.0.0.0:8080", "127.0.0.1:0",
	).Replace(text)
}

// run starts a process. It becomes ready, by the health check that it is given, or ends if it has none.
func (s *site) run(name string, args, env []string, healthy func() error) {
	s.t.Helper()
	p := e2e.Start(s.t, e2e.Binary(s.t, ""), name, env, args...)
	if healthy == nil {
		<-p.Done
		require.NoError(s.t, p.Err, "%s: %s", name, p.Log(s.t))
		return
	}
	s.running = append(s.running, p)
	var unwell error
	defer func() { s.t.Log(name, "ready: ", unwell) }()
	require.Eventually(s.t, func() bool {
		p.Running(s.t)
		unwell = healthy()
		return unwell == nil
	}, 5*time.Minute, 200*time.Millisecond, "%s does not become ready", name)
}

// end ends all that runs, in order.
func (s *site) end() {
	for _, p := range s.running {
		p.Terminate(s.t)
	}
}

// TestComposeProcessesRun runs every process of Tidemark's that the compose file starts, and the health check that it has for each.
func TestComposeProcessesRun(t *testing.T) {
	p := project(t)
	s := newSite(t, map[devclickhouse.Role]string{devclickhouse.Migrator: "migrator", devclickhouse.Writer: "writer", devclickhouse.Reader: "reader"}, "helpdesk")
	start := func(name string, of types.ServiceConfig) {
		var env []string
		admin, _ := portstest.Reserve(t)
		for _, variable := range environment(of) {
			variable = s.local(variable, admin)
			for _, v := range of.Volumes {
				variable = strings.Replace(variable, "="+v.Target, "="+v.Source, 1)
			}
			env = append(env, variable)
		}
		if of.HealthCheck == nil {
			s.run(name, of.Command, env, nil)
			return
		}
		require.Equal(t, []string{"CMD", "/tidemark"}, []string(of.HealthCheck.Test[:2]), name)
		s.run(name, of.Command, env, func() error {
			check := e2e.Start(t, e2e.Binary(t, ""), name+"-health", env, of.HealthCheck.Test[2:]...)
			<-check.Done
			return check.Err
		})
	}
	start("migrate", p.Services["migrate"])
	for name, of := range p.Services {
		if of.Build == nil || name == "migrate" {
			continue
		}
		replicas := 1
		if of.Deploy != nil {
			replicas = *of.Deploy.Replicas
		}
		for i := range replicas {
			start(fmt.Sprintf("%s-%d", name, i), of)
		}
	}
	require.Len(t, s.running, 5, "a collector, two pipelines, triggers and a normaliser")
	s.end()
}

// TestChartsProcessesRun runs every process that the Helm chart starts, and its probes: but for the login to Kafka, which the embedded
// one has not, and that is tried by internal/e2e.
func TestChartsProcessesRun(t *testing.T) {
	files, pods := rendering(t)
	s := newSite(t, map[devclickhouse.Role]string{devclickhouse.Migrator: "hunter2", devclickhouse.Writer: "hunter2", devclickhouse.Reader: "hunter2"}, "desk")
	secret := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(secret, []byte("hunter2\n"), 0o600))
	slices.SortStableFunc(pods, func(a, b manifest) int {
		return strings.Compare(b.Metadata.Annotations["helm.sh/hook"], a.Metadata.Annotations["helm.sh/hook"])
	})
	for _, pod := range pods {
		container := pod.Spec.Template.Spec.Containers[0]
		name := "tidemark"
		admin, _ := portstest.Reserve(t)
		if pod.Kind == "Job" {
			name = "tidemark-migrate"
		}
		text := s.local(files[name], admin)
		sasl := strings.Index(text, "  sasl:")
		require.Positive(t, sasl)
		require.Contains(t, text[sasl:], "    user: tidemark\n")
		text = text[:sasl] + text[sasl+strings.Index(text[sasl:], "    user: tidemark\n")+len("    user: tidemark\n"):]
		config := filepath.Join(t.TempDir(), "tidemark.yaml")
		require.NoError(t, os.WriteFile(config, []byte(text), 0o600))
		var env []string
		for _, e := range container.Env {
			switch {
			case e.Name == "TIDEMARK_KAFKA_SASL_PASSWORD_FILE":
				continue
			case e.Name == "TIDEMARK_CONFIG":
				e.Value = config
			case e.Name == "TIDEMARK_KAFKA_INSTANCE_ID":
				e.Value = pod.Metadata.Name
			case strings.HasSuffix(e.Name, "_FILE"):
				e.Value = secret
			}
			env = append(env, e.Name+"="+s.local(e.Value, admin))
		}
		if pod.Kind == "Job" {
			s.run(pod.Metadata.Name, container.Args, env, nil)
			continue
		}
		for _, probe := range []probe{container.LivenessProbe, container.ReadinessProbe} {
			require.Equal(t, "admin", probe.HTTPGet.Port, pod.Metadata.Name)
		}
		s.run(pod.Metadata.Name, container.Args, env, func() error {
			for _, probe := range []probe{container.LivenessProbe, container.ReadinessProbe} {
				response, err := http.Get("http://" + admin + probe.HTTPGet.Path)
				if err != nil {
					return err
				}
				if err := response.Body.Close(); err != nil || response.StatusCode != http.StatusOK {
					return fmt.Errorf("%s: %s", probe.HTTPGet.Path, response.Status)
				}
			}
			return nil
		})
	}
	require.Len(t, s.running, 4)
	s.end()
}
