package notify

import (
	"crypto/x509"
	"encoding/pem"
	"strconv"
	"time"
)

func pemOf(c *x509.Certificate) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}))
}

func timestamp(t time.Time) string { return strconv.FormatInt(t.Unix(), 10) }
