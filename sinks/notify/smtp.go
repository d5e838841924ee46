package notify

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"mime"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"net/smtp"
	"net/textproto"
	"strings"
	"time"
)

func (s *SMTP) password() credential {
	return newCredential("password", s.PasswordFile, s.Password)
}

// Ways of TLS to a mail server.
const (
	startTLS    = "starttls"
	implicitTLS = "implicit"
	noTLS       = "none"
)

func (s *SMTP) problems() []error {
	if s == nil {
		return nil
	}
	var errs []error
	problem := func(format string, args ...any) { errs = append(errs, fmt.Errorf("smtp."+format, args...)) }
	if host, port, err := net.SplitHostPort(s.Server); err != nil || host == "" || port == "" {
		problem("server: %q is not host:port, such as mail.example.com:587", s.Server)
	}
	switch s.TLS {
	case "", startTLS, implicitTLS:
	case noTLS:
		if s.User != "" {
			problem("tls: is none, which would send the password readable; use starttls")
		}
	default:
		problem("tls: %q is unknown; choose starttls, implicit or none", s.TLS)
	}
	if _, err := authorities(s.CAFile); err != nil {
		problem("%w", err)
	}
	if _, err := s.password().one(); s.User != "" && err != nil {
		problem("%w", err)
	}
	if _, err := mail.ParseAddress(s.From); err != nil {
		problem("from: %q is no address, such as Tidemark <alerts@example.com>", s.From)
	}
	if len(s.To) == 0 {
		problem("to: is empty; list whom to write to")
	}
	for _, to := range s.To {
		if _, err := mail.ParseAddress(to); err != nil {
			problem("to: %q is no address", to)
		}
	}
	return errs
}

// mailer sends messages as mail, one connection each.
type mailer struct {
	SMTP
	from  *mail.Address
	to    []*mail.Address
	host  string
	guard guard
	roots *x509.CertPool
	now   func() time.Time // for the Date of a mail
}

func newMail(s *SMTP, g guard, now func() time.Time) (*mailer, error) {
	m := &mailer{SMTP: *s, guard: g, now: now}
	var err error
	if m.from, err = mail.ParseAddress(s.From); err != nil {
		return nil, fmt.Errorf("smtp.from: %w", err)
	}
	for _, text := range s.To {
		to, err := mail.ParseAddress(text)
		if err != nil {
			return nil, fmt.Errorf("smtp.to: %w", err)
		}
		m.to = append(m.to, to)
	}
	if m.host, _, err = net.SplitHostPort(s.Server); err != nil {
		return nil, fmt.Errorf("smtp.server: %w", err)
	}
	m.roots, err = authorities(s.CAFile)
	return m, err
}

func (m *mailer) send(ctx context.Context, msg *Message) Result {
	text, err := m.compose(msg)
	if err != nil {
		return Result{Outcome: Rejected, Detail: err.Error()}
	}
	var password string
	if m.User != "" {
		if password, err = m.password().one(); err != nil {
			return Result{Outcome: Unable, Detail: err.Error()}
		}
	}
	return mailResult(m.transmit(ctx, password, text))
}

func (m *mailer) close() {}

// transmit hands a mail to the server.
func (m *mailer) transmit(ctx context.Context, password string, text []byte) error {
	conn, err := m.guard.dialer().DialContext(ctx, "tcp", m.Server)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: m.host, RootCAs: m.roots}
	if m.TLS == implicitTLS {
		conn = tls.Client(conn, config)
	}
	client, err := smtp.NewClient(conn, m.host)
	if err != nil {
		return errors.Join(err, conn.Close())
	}
	defer client.Close() //nolint:errcheck // Quit has closed it, or the error is another
	if m.TLS == "" || m.TLS == startTLS {
		if err := client.StartTLS(config); err != nil {
			return fmt.Errorf("STARTTLS: %w", err)
		}
	}
	if m.User != "" {
		if err := client.Auth(smtp.PlainAuth("", m.User, password, m.host)); err != nil {
			return fmt.Errorf("log in: %w", err)
		}
	}
	if err := client.Mail(m.from.Address); err != nil {
		return err
	}
	for _, to := range m.to {
		if err := client.Rcpt(to.Address); err != nil {
			return fmt.Errorf("to %s: %w", to.Address, err)
		}
	}
	body, err := client.Data()
	if err != nil {
		return err
	}
	if _, err := body.Write(text); err != nil {
		return err
	}
	if err := body.Close(); err != nil {
		return err
	}
	_ = client.Quit() // it is accepted, whatever the server says to goodbye
	return nil
}

// mailResult reads the server's status: 5xx is for good, all else may be better later. A login that is refused is the
// configuration's fault, not the message's.
func mailResult(err error) Result {
	if err == nil {
		return Result{}
	}
	r := Result{Outcome: Failed, Detail: err.Error()}
	var status *textproto.Error
	if errors.As(err, &status) {
		r.Status = status.Code
		r.Detail = printable([]byte(err.Error()))
		login := status.Code == 530 || status.Code == 534 || status.Code == 535 || status.Code == 538
		switch {
		case status.Code == 421 || status.Code == 450 || status.Code == 451 || status.Code == 452:
			r.Outcome = Throttled
		case status.Code/100 == 5 && !login:
			r.Outcome = Rejected
		}
	}
	return r
}

// oneLine keeps what comes from events from beginning another header.
func oneLine(text string) string {
	return strings.Join(strings.Fields(printable([]byte(text))), " ")
}

func (m *mailer) compose(msg *Message) ([]byte, error) {
	var b bytes.Buffer
	header := func(name, value string) { fmt.Fprintf(&b, "%s: %s\r\n", name, value) }
	var to []string
	for _, a := range m.to {
		to = append(to, a.String())
	}
	_, domain, _ := strings.Cut(m.from.Address, "@")
	header("From", m.from.String())
	header("To", strings.Join(to, ", "))
	header("Subject", mime.QEncoding.Encode("utf-8", oneLine(msg.Subject())))
	header("Date", m.now().UTC().Format(time.RFC1123Z))
	header("Message-ID", "<"+msg.ID+"@"+domain+">") // the same in a repeat: mail programs show it once
	if !msg.Digest() {                              // what is of one alert stands together
		header("References", "<alert-"+msg.Notifications[0].AlertID+"@"+domain+">")
	}
	header("Auto-Submitted", "auto-generated")
	header("MIME-Version", "1.0")
	header("Content-Type", "text/plain; charset=utf-8")
	header("Content-Transfer-Encoding", "quoted-printable")
	b.WriteString("\r\n")
	w := quotedprintable.NewWriter(&b)
	for _, line := range msg.Lines() {
		if _, err := w.Write([]byte(line + "\r\n")); err != nil {
			return nil, err
		}
	}
	return b.Bytes(), w.Close()
}
