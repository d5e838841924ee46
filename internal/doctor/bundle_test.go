package doctor

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tidemark/internal/config"
	"tidemark/schemas/secret"
)

// planted puts a secret of its own into every key of a configuration that can hold one, and returns them by the key's path.
type planted struct {
	t   *testing.T
	dir string
	by  map[string]string
}

func (p *planted) secret(path string) string {
	s := fmt.Sprintf(`s3cr"t/%d+of %s`, len(p.by), path)
	p.by[path] = s
	return s
}

func (p *planted) fill(path string, v reflect.Value, above ...reflect.Type) {
	if v.Type() == reflect.TypeFor[secret.Secret]() {
		v.Set(reflect.ValueOf(secret.New(p.secret(path))))
		return
	}
	if slices.Contains(above, v.Type()) {
		return // it holds itself
	}
	above = append(above[:len(above):len(above)], v.Type())
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			field := v.Type().Field(i)
			if !field.IsExported() {
				continue
			}
			name := field.Tag.Get("yaml")
			if field.Type.Kind() == reflect.String && inFile(name) {
				file := filepath.Join(p.dir, fmt.Sprint(len(p.by)))
				require.NoError(p.t, os.WriteFile(file, []byte(p.secret(path+"."+name)+"\n"), 0o600))
				v.Field(i).SetString(file)
				continue
			}
			p.fill(path+"."+name, v.Field(i), above...)
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		p.fill(path, v.Elem(), above...)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		p.fill(path, v.Index(0), above...)
	case reflect.Map:
		if v.Type().Key().Kind() == reflect.String {
			element := reflect.New(v.Type().Elem()).Elem()
			p.fill(path+".x", element, above...)
			v.Set(reflect.MakeMap(v.Type()))
			v.SetMapIndex(reflect.ValueOf("x").Convert(v.Type().Key()), element)
		}
	default:
	}
}

// TestTheBundleHasNoSecrets has every secret of the configuration told by everything that the doctor looks at.
func TestTheBundleHasNoSecrets(t *testing.T) {
	t.Parallel()
	cfg := config.Default()
	p := planted{t, t.TempDir(), map[string]string{}}
	p.fill("", reflect.ValueOf(&cfg).Elem())
	for _, path := range []string{
		".kafka.sasl.password", ".kafka.tls.key_file", ".clickhouse.migrator.password", ".clickhouse.writer.password", ".clickhouse.reader.password",
		".collector.write_keys", ".collector.sources.x.secret", ".triggers.targets.x.webhook.url", ".triggers.targets.x.webhook.secrets",
		".triggers.targets.x.webhook.secrets_file", ".triggers.targets.x.slack.url", ".triggers.targets.x.pagerduty.routing_key", ".triggers.targets.x.smtp.password",
	} {
		require.Contains(t, p.by, path)
	}

	var everything strings.Builder
	for _, s := range p.by {
		fmt.Fprintln(&everything, s, url.QueryEscape(s), url.PathEscape(s), base64.StdEncoding.EncodeToString([]byte(s)))
	}
	process := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, everything.String()) }))
	defer process.Close()
	f := healthy(t)
	f.Lag, f.KafkaError = nil, everything.String()
	f.Processes[0].URL, f.Processes[0].Ready, f.Processes[0].Said = process.URL, false, everything.String()
	report := Examine(f)
	entries, err := report.Entries(t.Context(), cfg, "v1")
	require.NoError(t, err)
	var out bytes.Buffer
	require.NoError(t, WriteBundle(&out, entries, NewRedactor(cfg), noon))

	files := unpack(t, &out)
	require.Len(t, files, 6)
	require.Contains(t, files["tidemark-doctor/report.txt"], "1. page    Kafka does not answer at k:9092\n")
	require.Contains(t, files["tidemark-doctor/report.json"], `"cause": "kafka-does-not-answer"`)
	require.Contains(t, files["tidemark-doctor/configuration.yaml"], "group: tidemark\n", "what is no secret stays")
	require.Contains(t, files["tidemark-doctor/process-1/metrics.txt"], "<secret> <secret> <secret> <secret>\n")
	for name, text := range files {
		require.NotContains(t, text, "s3cr", "%s", name)
		for path, s := range p.by {
			for _, form := range forms(s) {
				require.NotContains(t, text, form, "%s tells the secret %s", name, path)
			}
		}
	}
}

func unpack(t *testing.T, from io.Reader) map[string]string {
	t.Helper()
	zip, err := gzip.NewReader(from)
	require.NoError(t, err)
	files := map[string]string{}
	for archive := tar.NewReader(zip); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		require.NoError(t, err)
		text, err := io.ReadAll(archive)
		require.NoError(t, err)
		files[header.Name] = string(text)
	}
}

func TestRedactLeavesNoEndOfALongerSecret(t *testing.T) {
	t.Parallel()
	r := NewRedactor(struct{ A, B, C secret.Secret }{secret.New("hunter"), secret.New("hunter2-long"), secret.New("abc")})
	require.Equal(t, "<secret> and <secret>, abc", string(r.Redact([]byte("hunter2-long and hunter, abc"))), "three letters are no secret")
}
