package config

import (
	"regexp"
	"strings"

	"tidemark/schemas/nearest"
)

// otherEnv are the variables that are Tidemark's but not settings: the CLI and the embedded engine read them.
var otherEnv = []string{"TIDEMARK_CONFIG", "TIDEMARK_DATA_DIR", "TIDEMARK_ENGINE_DIR"}

// serviceLink matches what Kubernetes puts into every pod's environment for a Service whose name begins with tidemark,
// such as TIDEMARK_SERVICE_HOST and TIDEMARK_COLLECTOR_PORT_8080_TCP_ADDR. Nobody set these, so they are no mistakes.
var serviceLink = regexp.MustCompile(`_SERVICE_(HOST|PORT(_\w+)?)$|_PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?$`)

// readEnv lays the TIDEMARK_* variables over the Config.
func (l *loader) readEnv(env []string) {
	byName := map[string]setting{}
	var names []string
	for _, path := range l.paths {
		s := l.settings[path]
		byName[s.env()] = s
		names = append(names, strings.TrimPrefix(s.env(), envPrefix))
	}
	ignored := map[string]bool{}
	for _, name := range otherEnv {
		ignored[name] = true
	}
	for _, variable := range env {
		name, text, _ := strings.Cut(variable, "=")
		if !strings.HasPrefix(name, envPrefix) || ignored[name] {
			continue
		}
		s, known := byName[name]
		switch {
		case known && text == "":
			// As if it weren't there: compose files pass on what nobody set as empty.
		case known:
			l.set(s, split(s, text), name)
		case !serviceLink.MatchString(name):
			l.problemf("environment", "unknown variable %s%s", name, suggestVariable(name, names))
		}
	}
	l.endLayer()
}

// suggestVariable ends the error about an unknown variable; names are the known ones without TIDEMARK_.
func suggestVariable(name string, names []string) string {
	short := strings.TrimPrefix(name, envPrefix)
	near := nearest.To(short, names)
	if near == "" {
		near = withEnd(names, "_"+short)
	}
	if near == "" {
		return "; no key is like it: unset it"
	}
	return didYouMean(envPrefix + near)
}

// split gives the values of a setting in one variable: lists are separated by commas.
func split(s setting, text string) []string {
	if !s.list() {
		return []string{text}
	}
	var texts []string
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part != "" {
			texts = append(texts, part)
		}
	}
	return texts
}
