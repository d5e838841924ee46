package config

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// certificate writes a self-signed certificate for 127.0.0.1, good for both ends, and its key into dir.
func certificate(t *testing.T, dir string, serial int64) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(serial),
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(time.Hour),
		IsCA:                  true,
		BasicConstraintsValid: true,
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	require.NoError(t, os.WriteFile(certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	require.NoError(t, os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}), 0o600))
	return certFile, keyFile
}

func TestClientConfigDisabled(t *testing.T) {
	t.Parallel()
	config, err := (&TLS{}).Client()
	require.NoError(t, err)
	require.Nil(t, config)
}

// TestClientConfigHandshakes: a client that trusts ca_file meets a server that asks for a certificate. After the client's is renewed
// on disk the next connection shows the new one, and after ca_file is, the next trusts the new authority alone; while a file holds
// nothing, what it held last counts.
func TestClientConfigHandshakes(t *testing.T) {
	t.Parallel()
	listen := func(dir string, serial int64) net.Listener {
		pair, err := tls.LoadX509KeyPair(certificate(t, dir, serial))
		require.NoError(t, err)
		listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
			Certificates: []tls.Certificate{pair},
			ClientAuth:   tls.RequireAnyClientCert,
			MinVersion:   tls.VersionTLS12,
		})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, listener.Close()) })
		return listener
	}
	before, after := t.TempDir(), t.TempDir()
	listener, renewed := listen(before, 1), listen(after, 11)
	trusted := write(t, "ca.pem", "")
	trust := func(dir string) {
		pem, err := os.ReadFile(filepath.Join(dir, "cert.pem"))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(trusted, pem, 0o600))
	}
	trust(before)
	dir := t.TempDir()
	certFile, keyFile := certificate(t, dir, 2)
	settings := TLS{Enabled: true, CAFile: trusted, CertFile: certFile, KeyFile: keyFile}
	config, err := settings.Client()
	require.NoError(t, err)
	require.Equal(t, int64(2), clientSerial(t, listener, config()))
	certificate(t, dir, 3)
	require.Equal(t, int64(3), clientSerial(t, listener, config()))

	_, err = connect(t, renewed, config())
	require.ErrorContains(t, err, "certificate")
	trust(after)
	require.Equal(t, int64(3), clientSerial(t, renewed, config()))
	_, err = connect(t, listener, config())
	require.ErrorContains(t, err, "certificate")
	for _, file := range []string{trusted, keyFile} {
		require.NoError(t, os.WriteFile(file, nil, 0o600))
		require.Equal(t, int64(3), clientSerial(t, renewed, config()))
	}

	trust(after)
	certificate(t, dir, 4)
	settings.ServerName = "db.local"
	config, err = settings.Client()
	require.NoError(t, err)
	_, err = connect(t, renewed, config())
	require.ErrorContains(t, err, "db.local")
}

// clientSerial returns the serial number of the certificate with which a client that has config connects.
func clientSerial(t *testing.T, listener net.Listener, config *tls.Config) int64 {
	t.Helper()
	server, err := connect(t, listener, config)
	require.NoError(t, err)
	return server.PeerCertificates[0].SerialNumber.Int64()
}

// connect makes one connection and returns the server's view of it, and the client's error.
func connect(t *testing.T, listener net.Listener, config *tls.Config) (server tls.ConnectionState, err error) {
	t.Helper()
	states := make(chan tls.ConnectionState, 1)
	go func() {
		defer close(states)
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer func() { _ = conn.Close() }() // The client may be gone already.
		server := conn.(*tls.Conn)
		if server.HandshakeContext(t.Context()) == nil {
			states <- server.ConnectionState()
		}
	}()
	dialer := tls.Dialer{Config: config}
	client, err := dialer.DialContext(t.Context(), "tcp", listener.Addr().String())
	server = <-states
	if err == nil {
		require.NoError(t, client.Close())
	}
	return server, err
}

func TestClientConfigProblems(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	certFile, _ := certificate(t, dir, 1)
	missing, junk := filepath.Join(dir, "missing"), write(t, "junk", "x")
	for _, test := range []struct {
		settings TLS
		want     string
	}{
		{TLS{CAFile: missing}, "read ca_file: open " + missing},
		{TLS{CAFile: junk}, "ca_file " + junk + " holds no PEM certificate"},
		{TLS{CertFile: certFile, KeyFile: missing}, "load cert_file and key_file: open " + missing},
		{TLS{CertFile: junk, KeyFile: junk}, "load cert_file and key_file: tls: failed to find any PEM data"},
	} {
		test.settings.Enabled = true
		_, err := test.settings.Client()
		require.ErrorContains(t, err, test.want)
	}
}
