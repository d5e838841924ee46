package notify

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

// answerBytes is how much of an answer is read: enough to say what is wrong.
const answerBytes = 1 << 10

// poster posts JSON to a URL that may be secret (Slack's is).
type poster struct {
	url    credential
	plain  bool // http:// may be as well
	client *http.Client
}

func newPoster(u credential, h HTTP, g guard, timeout time.Duration) (*poster, error) {
	roots, err := authorities(h.CAFile)
	if err != nil {
		return nil, err
	}
	return &poster{url: u, plain: h.AllowHTTP, client: &http.Client{
		Timeout: timeout,
		Transport: &http.Transport{
			// Proxy stays nil: a proxy of the environment would connect for us, past the guard.
			DialContext:         g.dialer().DialContext,
			TLSClientConfig:     &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
			TLSHandshakeTimeout: timeout,
			ForceAttemptHTTP2:   true,
			MaxIdleConnsPerHost: 1, // messages go one after another
			IdleConnTimeout:     90 * time.Second,
		},
		// A redirect is an answer like others, and no success: where it leads nobody has configured.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// authorities are those of a PEM file; nil: the system's.
func authorities(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil //nolint:nilnil // nil means the system's to crypto/tls
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("ca_file: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, errors.New("ca_file: " + file + " holds no PEM certificate")
	}
	return pool, nil
}

// checkURL returns what is wrong with the URL of a kind and with how to reach it.
func (h *HTTP) checkURL(kind string, u credential) []error {
	var errs []error
	text, err := u.one()
	if err == nil {
		_, err = parseURL(text, h.AllowHTTP)
	}
	if err != nil {
		errs = append(errs, fmt.Errorf("%s.%w", kind, err))
	}
	if _, err := authorities(h.CAFile); err != nil {
		errs = append(errs, fmt.Errorf("%s.%w", kind, err))
	}
	return errs
}

// parseURL checks a URL; its errors do not show it, as it may hold a secret.
func parseURL(text string, plain bool) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "":
		return nil, errors.New("url: is no URL, such as https://example.com/hooks/alerts")
	case u.Scheme == "http" && !plain:
		return nil, errors.New("url: begins with http://, so that anybody on the way can read and change alerts; use https://, or accept it with allow_http: true")
	case u.Scheme != "https" && u.Scheme != "http":
		return nil, fmt.Errorf("url: begins with %s://; use https://", u.Scheme)
	}
	return u, nil
}

// post sends a body and says what came of it.
func (p *poster) post(ctx context.Context, body []byte, header http.Header) Result {
	text, err := p.url.one()
	if err != nil {
		return Result{Outcome: Unable, Detail: err.Error()}
	}
	u, err := parseURL(text, p.plain)
	if err != nil {
		return Result{Outcome: Unable, Detail: err.Error()}
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), bytes.NewReader(body))
	if err != nil {
		return Result{Outcome: Unable, Detail: "the URL is not one that can be requested"}
	}
	if header != nil {
		request.Header = header
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", "tidemark")
	response, err := p.client.Do(request)
	if err != nil {
		return failed(err)
	}
	defer response.Body.Close() //nolint:errcheck // it was read, as far as it matters
	answer, err := io.ReadAll(io.LimitReader(response.Body, answerBytes))
	if err != nil && response.StatusCode/100 == 2 {
		err = nil // it was accepted
	}
	if err != nil {
		return failed(err)
	}
	return answered(response, answer)
}

// failed is the result of a request that had no answer. The error is taken out of the URL that the client puts around it.
func failed(err error) Result {
	var around *url.Error
	if errors.As(err, &around) {
		err = around.Err
	}
	var denied *deniedError
	if errors.As(err, &denied) {
		return Result{Outcome: Failed, Detail: denied.Error()}
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return Result{Outcome: Failed, Detail: "no answer in time"}
	}
	return Result{Outcome: Failed, Detail: err.Error()}
}

// answered is what the status of an answer means, as Standard Webhooks has it.
func answered(response *http.Response, answer []byte) Result {
	r := Result{Status: response.StatusCode, RetryAfter: retryAfter(response.Header.Get("Retry-After"), response.Header.Get("Date"))}
	switch {
	case r.Status/100 == 2:
		r.RetryAfter = 0
		return r
	case r.Status == http.StatusGone:
		r.Outcome = Gone
	case r.Status == http.StatusTooManyRequests, r.Status == http.StatusBadGateway, r.Status == http.StatusGatewayTimeout:
		r.Outcome = Throttled
	default:
		r.Outcome = Failed
	}
	r.Detail = strings.TrimSpace(fmt.Sprintf("HTTP %d %s", r.Status, printable(answer)))
	if r.Status/100 == 3 {
		r.Detail = fmt.Sprintf("HTTP %d: redirects are not followed; configure the URL where it leads", r.Status)
	}
	return r
}

// retryAfter reads the header: seconds, or a date, which is taken by the sender's own clock if it tells that.
func retryAfter(text, date string) time.Duration {
	if seconds, err := strconv.Atoi(text); err == nil {
		return time.Duration(min(max(seconds, 0), int(maxRetryAfter/time.Second))) * time.Second
	}
	at, err := http.ParseTime(text)
	if err != nil {
		return 0
	}
	now, err := http.ParseTime(date)
	if err != nil {
		return 0
	}
	return min(max(at.Sub(now), 0), maxRetryAfter)
}

// detailBytes is how much of an answer is kept: a sentence.
const detailBytes = 200

// printable is the beginning of an answer, on one line, without what a terminal would act on.
func printable(answer []byte) string {
	text := strings.ToValidUTF8(string(answer), "?")
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return ' '
		}
		return r
	}, text)
	if len(text) > detailBytes {
		text = strings.ToValidUTF8(text[:detailBytes], "") + "…"
	}
	return strings.TrimSpace(text)
}

func (p *poster) close() { p.client.CloseIdleConnections() }
