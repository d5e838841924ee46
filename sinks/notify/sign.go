package notify

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// secretPrefix begins the secrets of Standard Webhooks.
const secretPrefix = "whsec_"

// signingKey decodes a secret: base64 of 24 to 64 bytes, with or without whsec_ in front.
func signingKey(secret string) ([]byte, error) {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, secretPrefix))
	if err != nil || len(key) < 24 || len(key) > 64 { // the error may quote the secret
		return nil, errors.New("is not whsec_ and the base64 of 24 to 64 random bytes; make one with: echo whsec_$(head -c 32 /dev/urandom | base64)")
	}
	return key, nil
}

// signature is the header webhook-signature: a v1 signature by each secret, so that a receiver that knows the old or the new one
// of a rotation accepts the message.
func signature(secrets []string, id string, at time.Time, body []byte) (string, error) {
	var signatures []string
	for i, secret := range secrets {
		key, err := signingKey(secret)
		if err != nil {
			return "", fmt.Errorf("secret %d %w", i+1, err)
		}
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(id + "." + strconv.FormatInt(at.Unix(), 10) + "."))
		mac.Write(body)
		signatures = append(signatures, "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	}
	return strings.Join(signatures, " "), nil
}
