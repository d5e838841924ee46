package notify

import (
	"bytes"
	"encoding/json"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tidemark/internal/foreign"
	"tidemark/schemas/secret"
)

// What is sent is accepted by the official libraries for Node and Python as docs/triggers.md uses them, and refused once it was
// changed on the way.
func TestReceiversInOtherLanguages(t *testing.T) {
	key := newSecret(3, 32)
	type request struct {
		Body    string            `json:"body"`
		Headers map[string]string `json:"headers"`
	}
	var got request
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		got = request{string(body), map[string]string{}}
		for name := range r.Header {
			got.Headers[strings.ToLower(name)] = r.Header.Get(name)
		}
	}))
	defer server.Close()
	s := openSender(t, &Target{Webhook: &Webhook{URL: secret.New(server.URL), Secrets: []secret.Secret{secret.New(newSecret(9, 24)), secret.New(key)}, HTTP: HTTP{AllowHTTP: true}}})
	m := single("tr_1")
	m.Notifications[0].Account = "Łódź"
	require.Equal(t, Delivered, s.send(t.Context(), m).Outcome)
	changed := got
	changed.Body = strings.Replace(got.Body, "3", "4", 1)
	require.NotEqual(t, got.Body, changed.Body)
	var input bytes.Buffer
	for _, r := range []request{got, changed} {
		require.NoError(t, json.NewEncoder(&input).Encode(r))
	}
	files, ok := os.DirFS("testdata").(fs.ReadFileFS)
	require.True(t, ok)
	for language, command := range map[string]func() []string{
		"node":   func() []string { return foreign.Node(t, files, "verify.js") },
		"python": func() []string { return foreign.Python(t, files, "verify.py") },
	} {
		argv := command()
		program := exec.CommandContext(t.Context(), argv[0], argv[1:]...)
		program.Env = append(os.Environ(), "SECRET="+key)
		program.Stdin = bytes.NewReader(input.Bytes())
		out, err := program.Output()
		require.NoError(t, err, language)
		require.Equal(t, "alert.fired\nrefused\n", string(out), language)
	}
}
