package doctor

import (
	"cmp"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"os"
	"reflect"
	"slices"
	"strings"

	"tidemark/schemas/secret"
)

// Redactor takes secrets out of texts.
type Redactor struct{ replacer *strings.Replacer }

// NewRedactor finds the secrets of a configuration: the values of type Secret, however deep, and what stands in the files that
// its keys ending in _file name. Certificates and authorities are no secrets.
func NewRedactor(cfg any) *Redactor {
	var found []string
	seek(reflect.ValueOf(cfg), &found)
	var all []string
	for _, s := range found {
		all = append(all, forms(s)...)
	}
	// The longest first: of one that begins another, nothing must be left.
	slices.SortFunc(all, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	var pairs []string
	for _, form := range all {
		pairs = append(pairs, form, "<secret>")
	}
	return &Redactor{strings.NewReplacer(pairs...)}
}

// Redact returns text without secrets, in whatever form they stand there.
func (r *Redactor) Redact(text []byte) []byte { return []byte(r.replacer.Replace(string(text))) }

// forms are the ways in which a secret may be written. A very short one is left alone, for it would be found everywhere.
func forms(s string) []string {
	if len(s) < 4 {
		return nil
	}
	quoted, _ := json.Marshal(s)
	return unique([]string{
		s, string(quoted[1 : len(quoted)-1]), url.QueryEscape(s), url.PathEscape(s), hex.EncodeToString([]byte(s)),
		base64.StdEncoding.EncodeToString([]byte(s)), base64.URLEncoding.EncodeToString([]byte(s)), base64.RawStdEncoding.EncodeToString([]byte(s)),
	})
}

// seek adds the secrets in v.
func seek(v reflect.Value, found *[]string) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		seek(v.Elem(), found)
	case reflect.Map:
		for _, key := range v.MapKeys() {
			seek(v.MapIndex(key), found)
		}
	case reflect.Slice:
		for i := range v.Len() {
			seek(v.Index(i), found)
		}
	case reflect.Struct:
		if v.CanInterface() {
			if s, ok := v.Interface().(secret.Secret); ok {
				*found = append(*found, linesOf(s.Reveal())...)
				return
			}
		}
		for i := range v.NumField() {
			field := v.Type().Field(i)
			if field.Type.Kind() == reflect.String && inFile(field.Tag.Get("yaml")) {
				*found = append(*found, contents(v.Field(i).String())...)
				continue
			}
			if field.IsExported() {
				seek(v.Field(i), found)
			}
		}
	default:
	}
}

// inFile says whether a key names a file that holds a secret.
func inFile(key string) bool {
	return strings.HasSuffix(key, "_file") && key != "ca_file" && key != "cert_file"
}

// contents are the lines of a file of secrets, as they are read from it; none if it cannot be read.
func contents(path string) []string {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	return linesOf(strings.TrimRight(string(text), "\r\n"))
}

// linesOf are the lines of what a secret reveals, each of which may be one, and all of it.
func linesOf(text string) []string {
	found := []string{text}
	for line := range strings.Lines(text) {
		found = append(found, strings.TrimSpace(line))
	}
	return found
}
