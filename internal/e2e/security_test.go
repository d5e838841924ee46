package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tidemark/internal/config"
	"tidemark/internal/devclickhouse"
	"tidemark/internal/realkafka"
	"tidemark/internal/realkafka/kafkatest"
	"tidemark/schemas/secret"
	"tidemark/sinks/kafka/login"
	"tidemark/sinks/kafka/rights"
)

const (
	pipelineUser   = "tidemark-pipeline"
	collectorUser  = "tidemark-collector"
	normaliserUser = "tidemark-normalise"
)

// rawTopics are two, one of tickets and one of events whose accounts are not known at first.
const rawTopics = `
normalise:
  topics:
    desk: {format: json, events: [{ticket: {ticket_id: $.id, kind: created, occurred_at: $.at, account_id: $.account}}]}
    shop: {format: json, to: telemetry}
`

// vault is a stage on an Apache Kafka whose doors are locked: only those who log in come in, and may do only what is granted.
type vault struct {
	*stage
	cluster   *realkafka.Cluster
	authority *authority
	granted   map[string][]rights.Right // by user
}

func newVault(t *testing.T) *vault {
	t.Helper()
	a := newAuthority(t)
	_, _, server := a.issue("server")
	cluster := kafkatest.StartWith(t, realkafka.Options{Secure: &realkafka.Secure{
		CAFile: a.ca, ServerFile: server, Users: map[string]string{pipelineUser: "plain-p", collectorUser: "plain-c"},
		JWKSFile: a.jwks(), TokenIssuer: tokenIssuer, Audience: tokenAudience,
	}})
	v := &vault{stage: newStage(t, cluster.Brokers()), cluster: cluster, authority: a, granted: map[string][]rights.Right{}}
	v.Env = append(v.Env, "TIDEMARK_CONFIG="+v.authority.write("tidemark.yaml", []byte(rawTopics)))
	_, err := v.Admin.CreateTopics(t.Context(), 2, 1, nil, "desk", "shop")
	require.NoError(t, err)
	v.grantAsPrinted()
	for user := range v.granted {
		v.lacks(t.Context(), user)
	}
	return v
}

// lacks waits until the brokers, which hear of a change some time after it, find that of what is granted to a user exactly these rights are missing.
func (v *vault) lacks(ctx context.Context, user string, want ...rights.Right) {
	v.t.Helper()
	client := v.client(v.cluster.TLSAddr(), v.tls(user), nil)
	defer client.Close()
	var got rights.MissingError
	require.Eventually(v.t, func() bool {
		got = nil
		err := rights.Check(ctx, client, v.granted[user])
		return (err == nil || errors.As(err, &got)) && slices.Equal(got, want)
	}, 5*time.Minute, 50*time.Millisecond, "%s without %v", user, want)
}

var printedRight = regexp.MustCompile(`--allow-principal User:(\S+) --operation (\S+) --(topic|group|transactional-id) (\S+)`)

// grantAsPrinted grants what tidemark migrate --print-acls prints, and nothing else.
func (v *vault) grantAsPrinted() {
	t := v.t
	p := Start(t, Binary(t, ""), "acls", append(v.Env, "TIDEMARK_CANARY_ENABLED=true"), "migrate", "--print-acls")
	<-p.Done
	require.NoError(t, p.Err)
	for _, m := range printedRight.FindAllStringSubmatch(p.Log(t), -1) {
		operation, err := kmsg.ParseACLOperation(m[2])
		require.NoError(t, err)
		v.granted[m[1]] = append(v.granted[m[1]], rights.Right{Kind: rights.Kind(m[3]), Name: m[4], Operation: operation})
	}
	require.Len(t, v.granted[pipelineUser], 4+1+1+1+1)
	require.Len(t, v.granted[collectorUser], 6+3+1+1)
	require.Len(t, v.granted[normaliserUser], 7+3+2+1+1)
	for user, all := range v.granted {
		for _, r := range all {
			results, err := v.Admin.CreateACLs(t.Context(), acl(user, r))
			require.NoError(t, err)
			for _, result := range results {
				require.NoError(t, result.Err)
			}
		}
	}
}

func acl(user string, r rights.Right) *kadm.ACLBuilder {
	b := kadm.NewACLs().Allow("User:" + user).AllowHosts().Operations(r.Operation)
	switch r.Kind {
	case rights.Topic:
		return b.Topics(r.Name).ResourcePatternType(kadm.ACLPatternLiteral)
	case rights.Group:
		return b.Groups(r.Name).ResourcePatternType(kadm.ACLPatternLiteral)
	default:
		return b.TransactionalIDs(r.Name).ResourcePatternType(kadm.ACLPatternPrefixed)
	}
}

// tls is how to trust the brokers, and to show a certificate if one is named.
func (v *vault) tls(certificate string) config.TLS {
	out := config.TLS{Enabled: true, CAFile: v.authority.ca}
	if certificate != "" {
		out.CertFile, out.KeyFile, _ = v.authority.issue(certificate)
	}
	return out
}

// env leads tidemark to the locked doors.
func (v *vault) env(addr string, tls config.TLS, extra ...string) []string {
	return append([]string{
		"TIDEMARK_KAFKA_BROKERS=" + addr, "TIDEMARK_KAFKA_TLS_ENABLED=true", "TIDEMARK_KAFKA_TLS_CA_FILE=" + tls.CAFile,
		"TIDEMARK_KAFKA_TLS_CERT_FILE=" + tls.CertFile, "TIDEMARK_KAFKA_TLS_KEY_FILE=" + tls.KeyFile,
	}, extra...)
}

// client is one of franz-go's by the same configuration.
func (v *vault) client(addr string, tls config.TLS, l *login.SASL) *kgo.Client {
	t := v.t
	conf, err := tls.Client()
	require.NoError(t, err)
	opts := []kgo.Opt{kgo.SeedBrokers(addr), kgo.Dialer(login.Dialer(conf, time.Minute)), kgo.MetadataMinAge(10 * time.Millisecond)}
	mechanism, err := l.Franz()
	require.NoError(t, err)
	if mechanism != nil {
		opts = append(opts, kgo.SASL(mechanism))
	}
	client, err := kgo.NewClient(opts...)
	require.NoError(t, err)
	t.Cleanup(client.Close)
	return client
}

// setSCRAM sets a password, and waits until the broker goes by it.
func (v *vault) setSCRAM(user, password string) {
	results, err := v.Admin.AlterUserSCRAMs(v.t.Context(), nil, []kadm.UpsertSCRAM{{User: user, Mechanism: kadm.ScramSha512, Iterations: 4096, Password: password}})
	require.NoError(v.t, err)
	require.NoError(v.t, results[user].Err)
	client := v.client(v.cluster.SASLAddr(), v.tls(""), &login.SASL{Mechanism: "SCRAM-SHA-512", User: user, Password: secret.New(password)})
	require.Eventually(v.t, func() bool { return client.Ping(v.t.Context()) == nil }, 5*time.Minute, 100*time.Millisecond, "%s is not let in", user)
}

func (v *vault) secret(name, text string) string {
	return v.authority.write(name, []byte(text+"\n"))
}

func post(t *testing.T, url, body string) {
	t.Helper()
	require.Eventually(t, func() bool {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, bytes.NewBufferString(body))
		require.NoError(t, err)
		request.SetBasicAuth("key", "")
		request.Header.Set("Content-Type", "application/json")
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return false
		}
		return response.Body.Close() == nil && response.StatusCode == http.StatusOK
	}, 5*time.Minute, 200*time.Millisecond, "POST %s is not accepted", url)
}

// TestSecuredKafka runs collectors and a pipeline against an Apache Kafka with TLS, client certificates, every login that there is and
// access control, with the rights that are printed: they are enough, each is needed, and one that is missing is named.
func TestSecuredKafka(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
	defer cancel()
	v := newVault(t)
	v.setSCRAM(collectorUser, "scram-c")
	bearer := v.secret("token", v.authority.token(collectorUser, time.Now().Add(time.Hour)))
	ways := map[string][]string{
		"certificate": v.env(v.cluster.TLSAddr(), v.tls(collectorUser)),
		"plain":       v.env(v.cluster.SASLAddr(), v.tls(""), "TIDEMARK_KAFKA_SASL_MECHANISM=PLAIN", "TIDEMARK_KAFKA_SASL_USER="+collectorUser, "TIDEMARK_KAFKA_SASL_PASSWORD_FILE="+v.secret("plain", "plain-c")),
		"scram":       v.env(v.cluster.SASLAddr(), v.tls(""), "TIDEMARK_KAFKA_SASL_MECHANISM=SCRAM-SHA-512", "TIDEMARK_KAFKA_SASL_USER="+collectorUser, "TIDEMARK_KAFKA_SASL_PASSWORD_FILE="+v.secret("scram", "scram-c")),
		"token":       v.env(v.cluster.SASLAddr(), v.tls(""), "TIDEMARK_KAFKA_SASL_MECHANISM=OAUTHBEARER", "TIDEMARK_KAFKA_SASL_TOKEN_FILE="+bearer),
	}
	pipeline := v.Pipeline(Binary(t, ""), "a", append(v.env(v.cluster.TLSAddr(), v.tls(pipelineUser)), "TIDEMARK_CANARY_ENABLED=true")...)
	accounts := make([]string, 0, len(ways))
	for way, env := range ways {
		accounts = append(accounts, way)
		collector := Start(t, Binary(t, ""), way, slices.Concat(v.Env, env, []string{"TIDEMARK_COLLECTOR_LISTEN=127.0.0.1:0", "TIDEMARK_KAFKA_INSTANCE_ID=" + way}), "collect")
		url := "http://" + collector.Says(t, `collector started.*"listen": ?"([^"]+)"`)
		post(t, url+"/v1/track", fmt.Sprintf(`{"userId":"u-%s","event":"Parked","messageId":"%s-1"}`, way, way)) // whose account is not known yet
		post(t, url+"/v1/group", fmt.Sprintf(`{"userId":"u-%s","groupId":"%s","messageId":"%s-2","traits":{"plan":"pro"}}`, way, way, way))
		post(t, url+"/v1/track", fmt.Sprintf(`{"userId":"u-%s","event":"Sent","messageId":"%s-3","context":{"groupId":"%s"}}`, way, way, way))
		t.Cleanup(func() { collector.Terminate(t) })
	}
	producer, err := kgo.NewClient(kgo.SeedBrokers(v.Brokers...))
	require.NoError(t, err)
	defer producer.Close()
	require.NoError(t, producer.ProduceSync(ctx, &kgo.Record{Topic: "telemetry", Value: []byte("{")}).FirstErr()) // a dead letter
	normaliser := v.normalises(ctx, producer)
	accounts = append(accounts, "raw")
	reader := v.DB.Open(t, devclickhouse.Reader)
	slices.Sort(accounts)
	require.Eventually(t, func() bool { // three calls each, of which one had to wait for its account
		pipeline.Running(t)
		var counted []string
		rows, err := reader.Query(ctx, "SELECT account_id FROM usage_day WHERE account_id IN ? AND events >= 2 GROUP BY account_id ORDER BY account_id", accounts)
		if err != nil {
			return false
		}
		defer rows.Close() //nolint:errcheck // asked again
		for rows.Next() {
			var account string
			require.NoError(t, rows.Scan(&account))
			counted = append(counted, account)
		}
		var dead uint64
		if err := reader.QueryRow(ctx, "SELECT count() FROM dead_letters").Scan(&dead); err != nil {
			return false
		}
		return slices.Equal(counted, accounts) && dead == 2
	}, 5*time.Minute, 500*time.Millisecond, "what came in by every way is counted")
	pipeline.Terminate(t)
	normaliser.Terminate(t)

	v.refusals(ctx)
	v.rotation(ctx)
	v.missing(ctx)
}

// normalises starts a normaliser that reads both raw topics, in which there are a ticket and events of the account raw, and something
// that cannot be read.
func (v *vault) normalises(ctx context.Context, producer *kgo.Client) *Process {
	t := v.t
	at := time.Now().UTC().Format(time.RFC3339)
	for topic, values := range map[string][]string{
		"desk": {fmt.Sprintf(`{"id":1,"at":%q,"account":"raw"}`, at), `{"id":2,"at":"soon","account":"raw"}`},
		"shop": {
			`{"type":"track","event":"Bought","messageId":"raw-1","userId":"u-raw"}`, // waits
			`{"type":"track","event":"Bought","messageId":"raw-2","userId":"u-raw","context":{"groupId":"raw"}}`,
			`{"type":"group","messageId":"raw-3","userId":"u-raw","groupId":"raw","traits":{"plan":"pro"}}`,
		},
	} {
		for _, value := range values {
			require.NoError(t, producer.ProduceSync(ctx, &kgo.Record{Topic: topic, Key: []byte("u-raw"), Value: []byte(value)}).FirstErr())
		}
	}
	normaliser := Start(t, Binary(t, ""), "normaliser", slices.Concat(v.Env, v.env(v.cluster.TLSAddr(), v.tls(normaliserUser)),
		[]string{"TIDEMARK_KAFKA_INSTANCE_ID=normaliser"}), "normalise")
	reader := v.DB.Open(t, devclickhouse.Reader)
	require.Eventually(t, func() bool {
		normaliser.Running(t)
		var tickets uint64
		return reader.QueryRow(ctx, "SELECT uniqExact(entity) FROM facts WHERE kind = 'ticket' AND account_id = 'raw'").Scan(&tickets) == nil && tickets == 1
	}, 5*time.Minute, 500*time.Millisecond, "the ticket of the raw topic desk is counted")
	return normaliser
}

// refusals are logins that must not succeed.
func (v *vault) refusals(ctx context.Context) {
	t := v.t
	stranger := newAuthority(t)
	strange := config.TLS{Enabled: true, CAFile: v.authority.ca}
	strange.CertFile, strange.KeyFile, _ = stranger.issue(collectorUser)
	sasl := v.cluster.SASLAddr()
	token := func(text string) *login.SASL { return &login.SASL{Mechanism: "OAUTHBEARER", Token: secret.New(text)} }
	for name, client := range map[string]*kgo.Client{
		"no certificate":            v.client(v.cluster.TLSAddr(), v.tls(""), nil),
		"another authority's":       v.client(v.cluster.TLSAddr(), strange, nil),
		"brokers nobody knows":      v.client(sasl, config.TLS{Enabled: true, CAFile: stranger.ca}, token(v.authority.token(collectorUser, time.Now().Add(time.Hour)))),
		"wrong password":            v.client(sasl, v.tls(""), &login.SASL{Mechanism: "PLAIN", User: collectorUser, Password: secret.New("wrong")}),
		"wrong password, scrambled": v.client(sasl, v.tls(""), &login.SASL{Mechanism: "SCRAM-SHA-512", User: collectorUser, Password: secret.New("wrong")}),
		"token of somebody else":    v.client(sasl, v.tls(""), token(stranger.token(collectorUser, time.Now().Add(time.Hour)))),
		"token of yesterday":        v.client(sasl, v.tls(""), token(v.authority.token(collectorUser, time.Now().Add(-24*time.Hour)))),
	} {
		limited, cancel := context.WithTimeout(ctx, 2*time.Minute)
		err := client.Ping(limited)
		cancel()
		require.Error(t, err, name)
		require.NotErrorIs(t, err, context.DeadlineExceeded, name)
		if strings.HasPrefix(name, "token") {
			require.ErrorContains(t, err, "the broker refuses the token", name)
		}
	}
}

// rotation changes a password on the broker and in its file, and the authorities that are trusted in theirs: who logs in next is let in.
func (v *vault) rotation(ctx context.Context) {
	t := v.t
	file := filepath.Join(v.authority.dir, "rotated")
	l := &login.SASL{Mechanism: "SCRAM-SHA-512", User: pipelineUser}
	for _, password := range []string{"first", "second"} {
		require.NoError(t, os.WriteFile(file, []byte(password+"\n"), 0o600))
		if !l.Password.IsSet() {
			var err error
			l.Password, err = secret.File(file)
			require.NoError(t, err)
		}
		v.setSCRAM(pipelineUser, password)
		require.Eventually(t, func() bool { return v.client(v.cluster.SASLAddr(), v.tls(""), l).Ping(ctx) == nil }, 5*time.Minute, 100*time.Millisecond, password)
	}
	tls := v.tls("")
	tls.CAFile = filepath.Join(v.authority.dir, "renewed.pem")
	newAuthority(t).trust(tls.CAFile)
	client := v.client(v.cluster.SASLAddr(), tls, l)
	require.ErrorContains(t, client.Ping(ctx), "certificate signed by unknown authority")
	v.authority.trust(tls.CAFile)
	require.Eventually(t, func() bool { return client.Ping(ctx) == nil }, 5*time.Minute, 100*time.Millisecond, "ca_file is renewed")
	old := &login.SASL{Mechanism: "SCRAM-SHA-512", User: pipelineUser, Password: secret.New("first")}
	require.Error(t, v.client(v.cluster.SASLAddr(), v.tls(""), old).Ping(ctx))
}

// missing takes each right away in turn: it is named, and nothing else is.
func (v *vault) missing(ctx context.Context) {
	t := v.t
	for _, user := range []string{pipelineUser, collectorUser, normaliserUser} {
		v.lacks(ctx, user)
		for _, r := range v.granted[user] {
			v.revoke(ctx, user, r)
			v.lacks(ctx, user, r)
			_, err := v.Admin.CreateACLs(ctx, acl(user, r))
			require.NoError(t, err)
		}
		v.lacks(ctx, user)
	}
	for command, lacks := range map[string]struct {
		user  string
		right rights.Right
		says  string
	}{
		"run": {pipelineUser, rights.Right{Kind: rights.Topic, Name: "tickets", Operation: kadm.OpRead}, "READ --topic tickets"},
		"normalise": {
			normaliserUser, rights.Right{Kind: rights.TransactionalID, Name: "tidemark-normalise", Operation: kadm.OpWrite},
			"WRITE --transactional-id tidemark-normalise --resource-pattern-type prefixed",
		},
	} {
		v.revoke(ctx, lacks.user, lacks.right)
		v.lacks(ctx, lacks.user, lacks.right)
		p := Start(t, Binary(t, ""), command, slices.Concat(v.Env, v.env(v.cluster.TLSAddr(), v.tls(lacks.user)), []string{"TIDEMARK_KAFKA_INSTANCE_ID=" + command}), command)
		select {
		case <-p.Done:
		case <-ctx.Done():
		}
		require.Error(t, p.Err)
		require.Contains(t, p.Log(t), "Kafka does not grant "+lacks.right.String()+". Run, with the name that Kafka knows this process by: "+
			"kafka-acls.sh --bootstrap-server HOST:PORT --add --allow-principal User:NAME --operation "+lacks.says)
	}
}

func (v *vault) revoke(ctx context.Context, user string, r rights.Right) {
	results, err := v.Admin.DeleteACLs(ctx, acl(user, r))
	require.NoError(v.t, err)
	require.Len(v.t, results, 1)
	require.NoError(v.t, results[0].Err)
	require.Len(v.t, results[0].Deleted, 1, r)
}
