package collect

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// readBody returns the request's body, unzipped, and never holds more than one
// byte over max of it: a small body that unzips to gigabytes costs no more.
func readBody(w http.ResponseWriter, r *http.Request, max int) ([]byte, *refusal) {
	tooMuch := tooLarge("", fmt.Sprintf("the body has more than %d bytes: send fewer messages at once", max))
	if r.ContentLength > int64(max) {
		return nil, tooMuch
	}
	var from io.Reader = http.MaxBytesReader(w, r.Body, int64(max))
	switch encoding := strings.ToLower(strings.TrimSpace(r.Header.Get("Content-Encoding"))); encoding {
	case "", "identity":
	case "gzip":
		zipped, err := gzip.NewReader(from)
		if err != nil {
			return nil, badBody(err, tooMuch)
		}
		from = zipped
	default:
		return nil, &refusal{status: http.StatusUnsupportedMediaType, Code: "unsupported_encoding", Field: "Content-Encoding",
			Message: fmt.Sprintf("Content-Encoding %q is not supported: send gzip or none", encoding)}
	}
	var body bytes.Buffer
	if r.ContentLength > 0 {
		body.Grow(int(r.ContentLength) + bytes.MinRead)
	}
	if _, err := body.ReadFrom(io.LimitReader(from, int64(max)+1)); err != nil {
		return nil, badBody(err, tooMuch)
	}
	if body.Len() > max {
		return nil, tooMuch
	}
	return body.Bytes(), nil
}

func badBody(err error, tooMuch *refusal) *refusal {
	var limit *http.MaxBytesError
	if errors.As(err, &limit) {
		return tooMuch
	}
	return invalid("", fmt.Sprintf("the body cannot be read: %s", err))
}
