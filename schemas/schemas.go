// Package schemas holds Tidemark's contracts: the catalogue of what is measured and the formats of what comes in.
//
// The catalogue is data. [Load] reads and validates it, [Compile] turns it into the tables that the hot path uses.
package schemas

import _ "embed"

//go:embed catalogue.yaml
var builtin []byte

//go:embed health.yaml
var builtinHealth []byte
