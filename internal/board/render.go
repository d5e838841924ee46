package board

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io"
	"strings"
)

//go:embed templates
var templates embed.FS

// renderer has the templates: templates/*.html, all in one set. The frame is "page", its blocks are "panels" and
// "panel-body", and each content has one of its name.
type renderer struct{ set *template.Template }

func newRenderer(a *assets) (*renderer, error) {
	r := &renderer{}
	set := template.New("board").Funcs(template.FuncMap{
		"asset": a.url,
		"show":  r.show,
		"icon":  icon,
		"bar":   bar,
		"lower": strings.ToLower,
	})
	var err error
	if r.set, err = set.ParseFS(templates, "templates/*.html"); err != nil {
		return nil, fmt.Errorf("parse the templates of the board: %w", err)
	}
	return r, nil
}

func (r *renderer) render(w io.Writer, name string, data any) error {
	return r.set.ExecuteTemplate(w, name, data)
}

// show renders a content with its own template.
func (r *renderer) show(c content) (template.HTML, error) {
	var out bytes.Buffer
	err := r.set.ExecuteTemplate(&out, c.template(), c)
	return template.HTML(out.String()), err //nolint:gosec // a template has made it
}

// icon is a mark that says a state without colour: what it stands for is said beside it in words.
func icon(state string) string {
	switch state {
	case "good":
		return "●"
	case "warn":
		return "▲"
	case "bad":
		return "◆"
	}
	return ""
}
