package collect

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// drainBytes is how much of a body that is refused is still read: a client that
// is cut off while it sends sees a broken connection instead of the answer.
const drainBytes = 8 << 20

// readBody returns the request's body, unzipped, and never holds more than a
// little over max of it: a small body that unzips to gigabytes costs no more.
func readBody(r *http.Request, max int) ([]byte, *refusal) {
	body, refused := unzipBody(r, max)
	if refused != nil {
		_, _ = io.CopyN(io.Discard, r.Body, drainBytes)
	}
	return body, refused
}

func unzipBody(r *http.Request, max int) ([]byte, *refusal) {
	var from io.Reader
	switch encoding := strings.ToLower(strings.TrimSpace(r.Header.Get("Content-Encoding"))); encoding {
	case "", "identity":
		if r.ContentLength > int64(max) {
			return nil, bodyTooLarge(max)
		}
		from = r.Body
	case "gzip":
		// Gzip adds little even to what it cannot compress.
		zipped, err := gzip.NewReader(io.LimitReader(r.Body, 2*int64(max)))
		if err != nil {
			return nil, unreadable(err)
		}
		from = zipped
	default:
		return nil, &refusal{status: http.StatusUnsupportedMediaType, Code: "unsupported_encoding", Field: "Content-Encoding",
			Message: fmt.Sprintf("Content-Encoding %q is not supported: send gzip or none", encoding)}
	}
	return bounded(from, r.ContentLength, max)
}

// bounded reads all that there is, of about length bytes if that is known, and refuses more than max.
func bounded(from io.Reader, length int64, max int) ([]byte, *refusal) {
	var body bytes.Buffer
	if length > 0 {
		body.Grow(int(min(length, int64(max))) + bytes.MinRead)
	}
	if _, err := body.ReadFrom(io.LimitReader(from, int64(max)+1)); err != nil {
		return nil, unreadable(err)
	}
	if body.Len() > max {
		return nil, bodyTooLarge(max)
	}
	return body.Bytes(), nil
}

func bodyTooLarge(max int) *refusal {
	return tooLarge("", fmt.Sprintf("the body has more than %d bytes: send fewer messages at once", max))
}

func unreadable(err error) *refusal {
	return invalid("", fmt.Sprintf("the body cannot be read: %s", err))
}
