package devclickhouse

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// listenHost is the only address the engine listens on: its user `default` must have no password (see users.xml), so the
// engine must not be reachable from other machines.
const listenHost = "127.0.0.1"

// EngineConfig tells the engine child what to run. It travels as JSON in the child's arguments, so it holds no secret.
type EngineConfig struct {
	Library    string `json:"library"`     // Library is the path of libchdb.so.
	DataDir    string `json:"data_dir"`    // DataDir is where the engine keeps its tables.
	ConfigFile string `json:"config_file"` // ConfigFile is the path of config.xml.
	PortsFile  string `json:"ports_file"`  // PortsFile is written by the engine once it listens: HTTP and native port, separated by a tab.
	HTTPPort   int    `json:"http_port"`   // HTTPPort may be 0: the kernel then picks one.
	NativePort int    `json:"native_port"` // NativePort may be 0: the kernel then picks one.
}

// ParseEngineConfig reads the JSON that Start put into the child's arguments.
func ParseEngineConfig(text string) (EngineConfig, error) {
	var cfg EngineConfig
	if err := json.Unmarshal([]byte(text), &cfg); err != nil {
		return cfg, fmt.Errorf("read the engine's configuration: %w", err)
	}
	return cfg, nil
}

// argv is the command line of clickhouse-local that starts ClickHouse's own servers and then waits at its prompt.
func (c EngineConfig) argv() []string {
	startup := "SYSTEM START LISTEN HTTP; SYSTEM START LISTEN TCP; " +
		"SELECT getServerPort('http_port'), getServerPort('tcp_port') INTO OUTFILE " + sqlString(c.PortsFile) + " TRUNCATE FORMAT TSV"
	return []string{
		"clickhouse",
		"--path=" + c.DataDir,
		"--config-file=" + c.ConfigFile, // Always given: without it a config.xml of the working directory would be read.
		"--listen_host=" + listenHost,
		"--http_port=" + strconv.Itoa(c.HTTPPort),
		"--tcp_port=" + strconv.Itoa(c.NativePort),
		"--interactive",
		"--disable_suggestion",
		"--history_file=/dev/null",
		"--progress=off",
		"--progress-table=off",
		"--highlight=0",
		"--log-level=warning",
		"--query=" + startup,
	}
}

func sqlString(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}
