package config

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
)

// has says that the value is there, and is a text.
func (s section) has(key string) bool {
	node, there := s.values[key]
	if !there {
		return false
	}
	_, ok := text(node)
	return ok
}

// booleans are the words of YAML 1.1, which Teleport takes too, quoted or not.
var booleans = map[string]bool{"yes": true, "on": true, "true": true, "no": false, "off": false, "false": false}

func (s section) bool(key string, fallback bool) bool {
	node, there := s.values[key]
	if !there {
		return fallback
	}
	word, _ := scalar(node)
	value, known := booleans[strings.ToLower(word)]
	if !known {
		s.refuse(key, "%s is neither yes nor no", kind(node))
	}
	return value
}

func (s section) string(key, fallback string) string {
	node, there := s.values[key]
	if !there {
		return fallback
	}
	text, ok := text(node)
	if !ok {
		s.refuse(key, "%s is not a text%s", kind(node), quotesHint(node))
	}
	return text
}

// list is a list of texts, none of them empty or there twice.
func (s section) list(key string) (texts []string) {
	node, there := s.values[key]
	if !there {
		return nil
	}
	sequence, ok := node.(*ast.SequenceNode)
	if !ok {
		s.refuse(key, "%s is not a list; %s", kind(node), listHint(node))
		return nil
	}
	for _, item := range sequence.Values {
		word, ok := text(item)
		switch path := s.child(key); {
		case !ok:
			s.wrong(placeOf(item), "%s: %s is not a text%s", path, kind(item), quotesHint(item))
		case word == "":
			s.wrong(placeOf(item), "%s: an empty text; remove it", path)
		case slices.Contains(texts, word):
			s.wrong(placeOf(item), "%s: %q is there twice; remove one", path, word)
		default:
			texts = append(texts, word)
		}
	}
	return texts
}

func (s section) int(key string, fallback, least, most int) int {
	node, there := s.values[key]
	if !there {
		return fallback
	}
	word := ""
	if _, ok := node.(*ast.IntegerNode); ok {
		word = node.GetToken().Value
	}
	value, err := strconv.Atoi(word)
	switch {
	case err != nil:
		s.refuse(key, "%s is not a number from %d to %d%s", kind(node), least, most, numberHint(node))
	case value < least || value > most:
		s.refuse(key, "%d is not from %d to %d", value, least, most)
	}
	return value
}

// duration is a time such as 30s. off says that 0 is allowed too.
func (s section) duration(key string, fallback, least, most time.Duration, off bool) time.Duration {
	node, there := s.values[key]
	if !there {
		return fallback
	}
	word, _ := scalar(node)
	if word == "0" {
		word = "0s"
	}
	value, err := time.ParseDuration(word)
	spread := fmt.Sprintf("from %s to %s", short(least), short(most))
	if off {
		spread += ", or 0"
	}
	switch {
	case err != nil:
		s.refuse(key, "%s is not a time; write one %s with its unit, such as 30s or 2m", kind(node), spread)
	case off && value == 0:
	case value < least || value > most:
		s.refuse(key, "%s is not %s", word, spread)
	}
	return value
}

// short is a time without the zeros of smaller units.
func short(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// choice is one of a few words, the first where it is left out.
func (s section) choice(key string, words ...string) string {
	word := s.string(key, words[0])
	if s.has(key) && !slices.Contains(words, word) {
		s.refuse(key, "%q is not one of %s%s", word, strings.Join(words, ", "), suggestion(word, words))
	}
	return word
}

// text is the value of a string node.
func text(node ast.Node) (string, bool) {
	switch n := node.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return n.Value.Value, true
	}
	return "", false
}

// scalar is the value of a string, number or truth as it is written.
func scalar(node ast.Node) (string, bool) {
	switch n := node.(type) {
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return n.GetToken().Value, true
	}
	return text(node)
}

// kind says what a node is, for a message.
func kind(node ast.Node) string {
	switch n := node.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		return "a mapping"
	case *ast.SequenceNode:
		return "a list"
	case *ast.NullNode:
		return "nothing"
	case *ast.AnchorNode, *ast.AliasNode:
		return "an anchor or alias (&, *)"
	case *ast.TagNode:
		return fmt.Sprintf("a tag (%s)", n.GetToken().Value)
	}
	if word, ok := scalar(node); ok {
		return shown(word)
	}
	return "something else"
}

// A key with its value, and an item of a list, that YAML takes for one word.
var (
	pairWithoutSpace = regexp.MustCompile(`^[A-Za-z_]+:[^ ]`)
	itemWithoutSpace = regexp.MustCompile(`^-[^- ]`)
)

// mappingHint is what to do about what is to be a mapping.
func mappingHint(node ast.Node) string {
	if word, ok := text(node); ok && pairWithoutSpace.MatchString(word) {
		return spaceBehindColon
	}
	return "it is a mapping, lines of KEY: VALUE"
}

// listHint is what to do about what is to be a list.
func listHint(node ast.Node) string {
	word, ok := text(node)
	switch quoted := shown(word); {
	case ok && itemWithoutSpace.MatchString(word):
		return spaceBehindDash
	case ok && !strings.HasSuffix(quoted, "…"):
		return fmt.Sprintf("write [%s]", quoted)
	}
	return "write [ITEM, ITEM], or lines of - ITEM"
}

// numberHint is what to do about a number that is a text.
func numberHint(node ast.Node) string {
	word, ok := text(node)
	if _, err := strconv.Atoi(word); !ok || err != nil {
		return ""
	}
	return "; write it without quotes: " + word
}

// quotesHint is what to do about a scalar that YAML takes for no text.
func quotesHint(node ast.Node) string {
	if word, ok := scalar(node); ok {
		return fmt.Sprintf("; put it in quotes: %q", word)
	}
	return ""
}

// named is the path of a section, for a message.
func named(path string) string {
	if path == "" {
		return "the file"
	}
	return path
}

// shown is a value, for a message.
func shown(word string) string {
	const most = 40
	if runes := []rune(word); len(runes) > most {
		return fmt.Sprintf("%q…", string(runes[:most]))
	}
	return fmt.Sprintf("%q", word)
}
