package config

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// envPrefix begins the name of every environment variable that is Tidemark's.
const envPrefix = "TIDEMARK_"

// setting is one key of the configuration.
type setting struct {
	path   string        // such as kafka.sasl.password
	field  reflect.Value // where its value goes; for a twin, the secret's field
	secret bool          // it holds one Secret or several
	file   string        // set for a twin such as kafka.sasl.password_file: the path of the secret that its file holds
}

// selfDecoding is a section whose keys are not known beforehand, such as the names of targets: it reads its own YAML. Its
// errors begin with file and line.
type selfDecoding interface {
	DecodeYAML(file string, node *yaml.Node) error
}

// list says whether the setting takes any number of values.
func (s setting) list() bool { return s.file == "" && s.field.Kind() == reflect.Slice }

// env is the name of the setting's environment variable.
func (s setting) env() string { return envName(s.path) }

func envName(path string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(path, ".", "_"))
}

// schema is every key that there is, taken from the fields of a Config.
type schema struct {
	settings map[string]setting
	paths    []string            // of the settings, in the order of the fields
	sections map[string][]string // names in each section, by its path; the whole file's is ""
}

func newSchema(cfg *Config) schema {
	s := schema{settings: map[string]setting{}, sections: map[string][]string{}}
	s.add("", reflect.ValueOf(cfg).Elem())
	return s
}

// add enters the fields of one section.
func (s *schema) add(section string, fields reflect.Value) {
	for i := range fields.NumField() {
		name := fields.Type().Field(i).Tag.Get("yaml")
		path := join(section, name)
		s.sections[section] = append(s.sections[section], name)
		field := fields.Field(i)
		switch field.Addr().Interface().(type) {
		case *Secret, *[]Secret:
			twin := path + "_file"
			s.sections[section] = append(s.sections[section], name+"_file")
			s.settings[path] = setting{path: path, field: field, secret: true}
			s.settings[twin] = setting{path: twin, field: field, file: path}
			s.paths = append(s.paths, path, twin)
			continue
		}
		if _, ok := field.Addr().Interface().(selfDecoding); ok {
			s.settings[path] = setting{path: path, field: field} // not among the paths: no variable can hold it
			continue
		}
		if field.Kind() == reflect.Struct {
			s.add(path, field)
			continue
		}
		s.settings[path] = setting{path: path, field: field}
		s.paths = append(s.paths, path)
	}
}

func join(section, name string) string {
	if section == "" {
		return name
	}
	return section + "." + name
}

// assign parses texts, one for a plain field and any number for a list, into field.
func assign(field reflect.Value, texts []string) error {
	switch p := field.Addr().Interface().(type) {
	case *[]string:
		*p = append([]string{}, texts...)
		return nil
	case *[]Secret:
		*p = make([]Secret, len(texts))
		for i, text := range texts {
			(*p)[i] = NewSecret(text)
		}
		return nil
	default:
		return assignOne(p, texts[0])
	}
}

// assignOne parses text into what target points at.
func assignOne(target any, text string) error {
	switch p := target.(type) {
	case *string:
		*p = text
	case *Secret:
		*p = NewSecret(text)
	case *bool:
		if text != "true" && text != "false" {
			return fmt.Errorf("%q is neither true nor false", text)
		}
		*p = text == "true"
	case *int:
		n, err := strconv.Atoi(text)
		if err != nil {
			return fmt.Errorf("%q is not a whole number", text)
		}
		*p = n
	case *time.Duration:
		d, err := time.ParseDuration(text)
		if err != nil {
			return fmt.Errorf("%q is not a duration such as 500ms, 30s or 336h", text)
		}
		*p = d
	case *Size:
		size, err := ParseSize(text)
		if err != nil {
			return err
		}
		*p = size
	default:
		panic(fmt.Sprintf("config: no parser for %T", target))
	}
	return nil
}
