package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// keys are those of each section, by its path. The environment has its own.
var keys = map[string][]string{
	"": {"ssh_service", "auth_service", "helper", "log"},
	"ssh_service": {
		"enabled", "listen_addr", "host_keys", "trusted_user_ca_keys", "authorized_keys", "password_service_name", "pam",
		"login_timeout", "max_unauthenticated_connections", "max_channels", "keepalive_interval", "keepalive_count_max", "drain_timeout",
	},
	"ssh_service.pam": {"enabled", "service_name", "use_pam_auth", "account_first", "environment"},
	"auth_service":    {"message_of_the_day", "message_of_the_day_exempt_roles"},
	"log":             {"level", "format"},
}

// section is a mapping with known keys, each taken at most once.
type section struct {
	*document
	path   string
	at     place // of its key
	there  bool  // and a mapping
	values map[string]ast.Node
	places map[string]place // of the keys
}

// section reads a mapping. What is wrong with it is reported, and left out.
func (d *document) section(path string, at place, node ast.Node) section {
	s := section{document: d, path: path, at: at, values: map[string]ast.Node{}, places: map[string]place{}}
	var pairs []*ast.MappingValueNode
	pairs, s.there = d.pairs(path, node)
	for _, pair := range pairs {
		key, ok := d.key(pair)
		if !ok {
			continue
		}
		if !slices.Contains(keys[path], key) {
			d.wrong(placeOf(pair.Key), "%s", unknown(path, key))
			continue
		}
		s.values[key], s.places[key] = pair.Value, placeOf(pair.Key)
	}
	return s
}

// pairs are those of a mapping, without those whose key was there before.
func (d *document) pairs(path string, node ast.Node) (pairs []*ast.MappingValueNode, ok bool) {
	switch n := node.(type) {
	case *ast.MappingNode:
		pairs = n.Values
	case *ast.MappingValueNode:
		pairs = []*ast.MappingValueNode{n}
	default:
		d.wrong(placeOf(node), "%s is %s; %s", named(path), kind(node), mappingHint(node))
		return nil, false
	}
	first := map[string]place{}
	return slices.DeleteFunc(slices.Clone(pairs), func(pair *ast.MappingValueNode) bool {
		word, at := pair.Key.GetToken().Value, placeOf(pair.Key)
		before, twice := first[word]
		if twice {
			d.wrong(at, "the key %s stands in line %d already; remove one of them", word, before.line)
		} else {
			first[word] = at
		}
		return twice
	}), true
}

// key is the word of a pair.
func (d *document) key(pair *ast.MappingValueNode) (word string, ok bool) {
	switch key := pair.Key.(type) {
	case *ast.StringNode:
		return key.Value, true
	case *ast.MergeKeyNode:
		d.wrong(placeOf(key), "<< merges another mapping, which is not taken here; write the keys out")
	default:
		d.wrong(placeOf(key), "%q is no key; a key is a plain word", key.GetToken().Value)
	}
	return "", false
}

// child is the path of a key.
func (s section) child(key string) string { return strings.TrimPrefix(s.path+"."+key, ".") }

// sub is a section in this one. Where it is not there, it has no values and its
// place is that of this one.
func (s section) sub(key string) section {
	path := s.child(key)
	node, there := s.values[key]
	if !there {
		return section{document: s.document, path: path, at: s.at}
	}
	return s.document.section(path, s.places[key], node)
}

// refuse reports a value, and what to do.
func (s section) refuse(key string, format string, args ...any) {
	at := s.at
	if node := s.values[key]; node != nil {
		at = placeOf(node)
	}
	s.wrong(at, "%s: %s", s.child(key), fmt.Sprintf(format, args...))
}
