package config

import (
	_ "embed" // default.yaml
	"errors"
	"fmt"
	"os"
	"strings"

	"tidemark/schemas/secret"
)

//go:embed default.yaml
var example []byte

// Example returns a commented YAML file that gives every key its default.
func Example() []byte { return append([]byte(nil), example...) }

// Default returns the configuration of a process that is told nothing.
func Default() Config {
	var cfg Config
	l := newLoader(&cfg)
	l.readYAML("default.yaml", example)
	if err := errors.Join(l.problems...); err != nil {
		panic("config: the embedded default.yaml is broken: " + err.Error())
	}
	return cfg
}

// Load returns the defaults, overlaid with the YAML file at path (none if path is empty), overlaid with the TIDEMARK_*
// variables among env ("NAME=value", as os.Environ gives them). Its error joins everything that is wrong with them,
// one line a problem.
func Load(path string, env []string) (Config, error) {
	cfg := Default()
	l := newLoader(&cfg)
	if path != "" {
		l.readFile(path)
	}
	l.readEnv(env)
	l.readSecretFiles()
	if err := errors.Join(append(l.problems, cfg.Validate())...); err != nil {
		return Config{}, err
	}
	return cfg, nil
}

// loader lays values from YAML and the environment into one Config and gathers what is wrong with them.
type loader struct {
	schema
	problems []error
	// files has, by the path of a secret, the file that it is to be read from. They are read at the end, as a later
	// layer may replace an earlier one's file.
	files map[string]secretFile
	// layer has, by path, where the present layer set a secret or its twin.
	layer map[string]string
}

// secretFile is a file that holds a secret, and where it was named.
type secretFile struct{ name, where string }

func newLoader(cfg *Config) *loader {
	return &loader{schema: newSchema(cfg), files: map[string]secretFile{}, layer: map[string]string{}}
}

// problemf adds a problem found at where: a file and line, or a variable.
func (l *loader) problemf(where, format string, args ...any) {
	l.problems = append(l.problems, fmt.Errorf("%s: %w", where, fmt.Errorf(format, args...)))
}

func (l *loader) readFile(path string) {
	data, err := os.ReadFile(path)
	if err != nil {
		l.problems = append(l.problems, fmt.Errorf("read the configuration: %w", err))
		return
	}
	l.readYAML(path, data)
}

// set gives the setting its value, which was found at where.
func (l *loader) set(s setting, texts []string, where string) {
	if s.file == "" && !s.secret {
		if err := assign(s.field, texts); err != nil {
			l.problemf(where, "%s: %w", s.path, err)
		}
		return
	}
	if strings.Join(texts, "") == "" {
		return // An empty secret or twin says nothing, so that the two can stand side by side.
	}
	l.layer[s.path] = where
	if s.file != "" {
		l.files[s.file] = secretFile{name: texts[0], where: where}
		return
	}
	delete(l.files, s.path)
	if err := assign(s.field, texts); err != nil {
		l.problemf(where, "%s: %w", s.path, err)
	}
}

// endLayer reports the secrets that one layer gave both ways; across layers the later one wins.
func (l *loader) endLayer() {
	for _, path := range l.paths {
		twin := l.settings[path]
		value, hasValue := l.layer[twin.file]
		where, hasFile := l.layer[path]
		if hasValue && hasFile {
			l.problemf(where, "%s and %s are both set (the other at %s); keep one", path, twin.file, value)
		}
	}
	clear(l.layer)
}

// readSecretFiles fills the secrets whose twins were set.
func (l *loader) readSecretFiles() {
	for _, path := range l.paths {
		file, ok := l.files[path]
		if !ok {
			continue
		}
		s, err := secret.File(file.name)
		if err != nil {
			l.problemf(file.where, "%s_file: %w", path, err)
			continue
		}
		switch field := l.settings[path].field.Addr().Interface().(type) {
		case *Secret:
			*field = s
		case *[]Secret:
			*field = []Secret{s} // which reveals one a line
		}
	}
}
