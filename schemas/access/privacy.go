package access

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"tidemark/schemas"
)

// Policies say by source what is kept of its events; a source that is not named keeps all but addresses.
type Policies map[string]*Policy

// Policy is what is kept of a source's events, by paths such as properties.plan, traits.email, userId.
type Policy struct {
	schemas.Pos `yaml:"-"`
	Allow       []string `yaml:"allow"`   // what is kept of properties, traits and context; none = all. Ids, times and names always are
	Hash        []string `yaml:"hash"`    // what is replaced by its HMAC with collector.hash_key
	KeepIP      bool     `yaml:"keep_ip"` // keep addresses, which are dropped otherwise
}

// Open are the parts of an event whose members clients choose.
var Open = []string{"properties", "traits", "context"}

// DecodeYAML reads the section; file is for errors, which begin with file and line.
func (p *Policies) DecodeYAML(file string, node *yaml.Node) error {
	policies := Policies{}
	if err := schemas.DecodeNode(file, node, &policies); err != nil {
		return err
	}
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(policies)) {
		policy := policies[name]
		if policy == nil {
			policies[name] = &Policy{}
			continue
		}
		for _, path := range policy.Allow {
			part, _, below := strings.Cut(path, ".")
			if !slices.Contains(Open, part) || !below || strings.Contains(path, "..") || strings.HasSuffix(path, ".") {
				errs = append(errs, fmt.Errorf("%s: %q is no path below %s, such as properties.plan", policy.At("allow"), path, strings.Join(Open, ", ")))
			}
		}
		if slices.Contains(policy.Hash, "") {
			errs = append(errs, fmt.Errorf("%s: one of the paths is empty; remove it", policy.At("hash")))
		}
	}
	*p = policies
	return errors.Join(errs...)
}

// Check refuses policies of sources that there are not, and those that hash without a key.
func (p Policies) Check(webhooks []string, hasKey bool) error {
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(p)) {
		switch {
		case name == "accounts" || name == "parked":
			errs = append(errs, fmt.Errorf("%s: %s has no events, so that there is nothing to keep or to hash", p[name].Pos, name))
		case name == "signals" && len(p[name].Allow) > 0:
			errs = append(errs, fmt.Errorf("%s: the fields of signals are fixed; hash those that name somebody, such as user_id", p[name].At("allow")))
		}
		errs = append(errs, known(p[name].Pos, []string{name}, webhooks))
		if len(p[name].Hash) > 0 && !hasKey {
			errs = append(errs, fmt.Errorf("%s: hashing needs a key; set collector.hash_key_file to a file with 32 random bytes or more", p[name].At("hash")))
		}
	}
	return errors.Join(errs...)
}
