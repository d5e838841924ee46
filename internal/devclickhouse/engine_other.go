//go:build !linux || noengine

package devclickhouse

import "errors"

// RunEngine reports that this build has no embedded engine: it is not for Linux, or was made with the tag noengine.
func RunEngine(EngineConfig) error {
	return errors.New("this build of tidemark has no embedded ClickHouse: start a ClickHouse server yourself and give its address")
}
