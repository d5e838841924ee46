package notify

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"mime"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
	"github.com/stretchr/testify/require"

	"tidemark/schemas/secret"
)

// mailServer is a real mail server that keeps what it takes.
type mailServer struct {
	mu   sync.Mutex
	to   []string
	text string
	fail *smtp.SMTPError // on RCPT
}

func (m *mailServer) NewSession(*smtp.Conn) (smtp.Session, error) { return &mailSession{m}, nil }

type mailSession struct{ *mailServer }

func (s *mailSession) AuthMechanisms() []string { return []string{sasl.Plain} }

func (s *mailSession) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if user != "tidemark" || password != "s3cret" {
			return smtp.ErrAuthFailed
		}
		return nil
	}), nil
}

func (s *mailSession) Mail(string, *smtp.MailOptions) error { return nil }

func (s *mailSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail != nil {
		return s.fail
	}
	s.to = append(s.to, to)
	return nil
}

func (s *mailSession) Data(r io.Reader) error {
	text, err := io.ReadAll(r)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text = string(text)
	return err
}

func (s *mailSession) Reset()        {}
func (s *mailSession) Logout() error { return nil }

// certificate is a self-signed one for localhost, and its PEM file.
func certificate(t *testing.T) (tls.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"localhost"},
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	parsed, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(file, []byte(pemOf(parsed)), 0o600))
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, file
}

type quiet struct{}

func (quiet) Printf(string, ...any) {}
func (quiet) Println(...any)        {}

func startMail(t *testing.T, implicit bool) (m *mailServer, address, ca string) {
	t.Helper()
	m = &mailServer{}
	pair, ca := certificate(t)
	server := smtp.NewServer(m)
	server.Domain, server.ErrorLog = "localhost", quiet{} // what clients do wrong is the test
	server.TLSConfig = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "localhost:0")
	require.NoError(t, err)
	address = listener.Addr().String()
	if implicit {
		listener = tls.NewListener(listener, server.TLSConfig)
	}
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	t.Cleanup(func() {
		require.NoError(t, server.Close())
		_ = listener.Close() // which Close does not know if Serve has not begun yet
		if err := <-done; err != nil && !errors.Is(err, smtp.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
	})
	_, port, err := net.SplitHostPort(address)
	require.NoError(t, err)
	return m, "localhost:" + port, ca
}

// Mail goes over STARTTLS or TLS, with a login, to everybody; a name cannot begin a header of its own; a repeat has the same
// Message-ID.
func TestMail(t *testing.T) {
	for _, way := range []string{startTLS, implicitTLS} {
		t.Run(way, func(t *testing.T) {
			server, address, ca := startMail(t, way == implicitTLS)
			target := &Target{SMTP: &SMTP{
				Server: address, TLS: way, CAFile: ca, User: "tidemark", Password: secret.New("s3cret"), From: "Tidemark <alerts@example.com>", To: []string{"ann@example.com", "Bob <bob@example.com>"},
			}}
			s := openSender(t, target)
			m := single("tr_1")
			m.Notifications[0].Account = "Łódź\r\nBcc: all@example.com"
			require.Equal(t, Result{}, s.send(t.Context(), m))
			require.Equal(t, []string{"ann@example.com", "bob@example.com"}, server.to)
			got, err := mail.ReadMessage(strings.NewReader(server.text))
			require.NoError(t, err)
			subject, err := new(mime.WordDecoder).DecodeHeader(got.Header.Get("Subject"))
			require.NoError(t, err)
			require.Equal(t, "fired: escalations for Łódź Bcc: all@example.com", subject)
			require.Empty(t, got.Header.Get("Bcc"))
			require.Equal(t, "<tr_1@example.com>", got.Header.Get("Message-ID"))
			body, err := io.ReadAll(quotedprintable.NewReader(got.Body))
			require.NoError(t, err)
			require.Contains(t, string(body), "Value: 3 (threshold 3)\r\n")

			server.fail = &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 7, 1}, Message: "greylisted"}
			require.Equal(t, Throttled, s.send(t.Context(), m).Outcome)
			server.fail = &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such user"}
			r := s.send(t.Context(), m)
			require.Equal(t, Rejected, r.Outcome)
			require.Equal(t, 550, r.Status)
			require.Contains(t, r.Detail, "no such user")
			target.SMTP.Password = secret.New("other")
			require.Equal(t, Failed, openSender(t, target).send(t.Context(), m).Outcome, "a login may be mended")
			target.SMTP.CAFile = ""
			require.Equal(t, Failed, openSender(t, target).send(t.Context(), m).Outcome, "nobody vouches for the certificate")
		})
	}
}

func TestMailKeepsAwayFromPrivateAddresses(t *testing.T) {
	_, address, ca := startMail(t, false)
	m, err := newMail(&SMTP{Server: address, CAFile: ca, From: "a@example.com", To: []string{"b@example.com"}}, guard{}, time.Now)
	require.NoError(t, err)
	r := m.send(t.Context(), single("tr_1"))
	require.Equal(t, Failed, r.Outcome)
	require.Contains(t, r.Detail, "is not a public address")
}
