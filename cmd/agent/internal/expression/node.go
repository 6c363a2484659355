package expression

import (
	"fmt"
	"net/mail"
	"regexp"
	"strings"
)

// node is a part of an expression.
type node interface {
	evaluate(claims map[string][]string) ([]string, error)
	claims() []string
}

// literal is a string in quotes.
type literal string

func (l literal) evaluate(map[string][]string) ([]string, error) { return []string{string(l)}, nil }

func (literal) claims() []string { return nil }

// claim is external.NAME.
type claim string

func (c claim) evaluate(claims map[string][]string) ([]string, error) {
	values, found := claims[string(c)]
	if !found {
		return nil, &MissingError{Claim: string(c)}
	}
	return values, nil
}

func (c claim) claims() []string { return []string{string(c)} }

// emailLocal is email.local(of): what stands before the @ of each address.
type emailLocal struct{ of node }

func (e emailLocal) evaluate(claims map[string][]string) ([]string, error) {
	addresses, err := e.of.evaluate(claims)
	if err != nil {
		return nil, err
	}
	var locals []string
	for _, text := range addresses {
		address, err := mail.ParseAddress(text)
		if err != nil {
			return nil, fmt.Errorf("email.local: %.64q is no mail address", text)
		}
		local := address.Address[:strings.LastIndexByte(address.Address, '@')]
		locals = append(locals, local)
	}
	return locals, nil
}

func (e emailLocal) claims() []string { return e.of.claims() }

// regexpReplace is regexp.replace(of, pattern, by). A value that the pattern does
// not match is left out.
type regexpReplace struct {
	of      node
	pattern *regexp.Regexp
	by      string
}

func (r regexpReplace) evaluate(claims map[string][]string) ([]string, error) {
	values, err := r.of.evaluate(claims)
	if err != nil {
		return nil, err
	}
	var replaced []string
	for _, value := range values {
		if !r.pattern.MatchString(value) {
			continue
		}
		value = r.pattern.ReplaceAllString(value, r.by)
		if len(value) > MaxValue {
			return nil, fmt.Errorf("regexp.replace: a value of %d bytes; at most %d", len(value), MaxValue)
		}
		replaced = append(replaced, value)
	}
	return replaced, nil
}

func (r regexpReplace) claims() []string { return r.of.claims() }
