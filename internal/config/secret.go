package config

import "tidemark/schemas/secret"

// Secret is a string that no formatter, encoder or logger shows; only Reveal does. The zero value is an unset secret.
type Secret = secret.Secret

// NewSecret returns a Secret that holds value; an empty one is unset.
func NewSecret(value string) Secret { return secret.New(value) }
