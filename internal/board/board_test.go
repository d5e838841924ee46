package board

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPages(t *testing.T) {
	f := newStage(t, `INSERT INTO account_changes_all (* EXCEPT generation) VALUES ('acme', '2025-12-01 00:00:00', 'accounts/0@A', 20, 0, {'name': 'Acme', 'seats': '10'})`)
	doc := f.page(t, "/")
	require.Equal(t, []string{"Portfolio"}, texts(t, doc, "h1"))
	require.Equal(t, []string{"acme"}, table(t, doc, "#panel-accounts table"))
	resp, _ := get(t, f.url+"/nowhere")
	require.Equal(t, http.StatusNotFound, resp.StatusCode)
}
