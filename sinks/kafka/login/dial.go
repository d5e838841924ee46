package login

import (
	"context"
	"crypto/tls"
	"net"
	"time"
)

// Dialer connects both Kafka clients, by TLS unless config is nil, which is asked how for each connection. The timeout bounds the
// handshake as well.
func Dialer(config func() *tls.Config, timeout time.Duration) func(ctx context.Context, network, addr string) (net.Conn, error) {
	plain := &net.Dialer{Timeout: timeout}
	if config == nil {
		return plain.DialContext
	}
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		return (&tls.Dialer{NetDialer: plain, Config: config()}).DialContext(ctx, network, addr)
	}
}
