package config

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
)

// Client returns how a TLS client connects now, to be asked for each connection: the files are read again, so that renewed
// authorities and certificates are used without a restart. While one of them cannot be read, what they held last is. Nil if
// TLS is not enabled.
func (t *TLS) Client() (func() *tls.Config, error) {
	if !t.Enabled {
		return nil, nil //nolint:nilnil // Nil means plain text.
	}
	files := *t
	config, err := files.read()
	if err != nil {
		return nil, err
	}
	var last atomic.Pointer[tls.Config]
	last.Store(config)
	return func() *tls.Config {
		if fresh, err := files.read(); err == nil {
			last.Store(fresh)
		}
		return last.Load().Clone()
	}, nil
}

// read makes a configuration of what the files hold.
func (t *TLS) read() (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.ServerName}
	if t.CAFile != "" {
		pem, err := os.ReadFile(t.CAFile)
		if err != nil {
			return nil, fmt.Errorf("read ca_file: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, errors.New("ca_file " + t.CAFile + " holds no PEM certificate")
		}
	}
	if t.CertFile != "" {
		pair, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("load cert_file and key_file: %w", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}
