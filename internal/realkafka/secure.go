package realkafka

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Secure gives a node two more listeners, TLS with client certificates and SASL over TLS, and Kafka's access control: those who come
// over them may do nothing until it is granted, while the plain listener is an administrator's. Files are PEM.
type Secure struct {
	CAFile      string // that signed the clients' certificates
	ServerFile  string // the broker's key (PKCS #8) and certificate, in one
	Users       map[string]string
	JWKSFile    string // public keys that tokens are signed with
	TokenIssuer string // and by whom, for whom
	Audience    string
}

// properties are those of a node whose other listeners are as they are in props.
func (s *Secure) properties(props map[string]string, at endpoints) map[string]string {
	tls, sasl := "127.0.0.1:"+strconv.Itoa(at.tls), "127.0.0.1:"+strconv.Itoa(at.sasl)
	const loginModule = "org.apache.kafka.common.security."
	var users strings.Builder
	for _, name := range slices.Sorted(maps.Keys(s.Users)) {
		fmt.Fprintf(&users, " user_%s=%q", name, s.Users[name])
	}
	const of = "listener.name.sasl_ssl."
	return map[string]string{
		"listeners":                                           props["listeners"] + ",SSL://" + tls + ",SASL_SSL://" + sasl,
		"advertised.listeners":                                props["advertised.listeners"] + ",SSL://" + tls + ",SASL_SSL://" + sasl,
		"listener.security.protocol.map":                      props["listener.security.protocol.map"] + ",SSL:SSL,SASL_SSL:SASL_SSL",
		"authorizer.class.name":                               "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
		"super.users":                                         "User:ANONYMOUS",
		"ssl.keystore.type":                                   "PEM",
		"ssl.keystore.location":                               s.ServerFile,
		"ssl.truststore.type":                                 "PEM",
		"ssl.truststore.location":                             s.CAFile,
		"listener.name.ssl.ssl.client.auth":                   "required",
		"listener.name.ssl.ssl.principal.mapping.rules":       "RULE:^CN=([^,]+).*$/$1/",
		of + "sasl.enabled.mechanisms":                        "PLAIN,SCRAM-SHA-512,OAUTHBEARER",
		of + "plain.sasl.jaas.config":                         loginModule + "plain.PlainLoginModule required" + users.String() + ";",
		of + "scram-sha-512.sasl.jaas.config":                 loginModule + "scram.ScramLoginModule required;",
		of + "oauthbearer.sasl.jaas.config":                   loginModule + `oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";`,
		of + "oauthbearer.sasl.server.callback.handler.class": loginModule + "oauthbearer.OAuthBearerValidatorCallbackHandler",
		of + "oauthbearer.sasl.oauthbearer.jwks.endpoint.url": s.jwksURL(),
		of + "oauthbearer.sasl.oauthbearer.expected.issuer":   s.TokenIssuer,
		of + "oauthbearer.sasl.oauthbearer.expected.audience": s.Audience,
	}
}

func (s *Secure) jwksURL() string { return "file://" + filepath.ToSlash(s.JWKSFile) }

// TLSAddr is the host:port of the first node's listener that asks for a client's certificate.
func (c *Cluster) TLSAddr() string { return "127.0.0.1:" + strconv.Itoa(c.nodes[0].at.tls) }

// SASLAddr is the host:port of the first node's listener with SASL over TLS.
func (c *Cluster) SASLAddr() string { return "127.0.0.1:" + strconv.Itoa(c.nodes[0].at.sasl) }
