package main

import (
	"regexp"
	"slices"
	"strings"
)

// Words that no shell takes apart, and those that it takes for its own grammar
// where a command's name stands (POSIX, Shell Command Language, 2.4; bash(1)).
var (
	plainWord = regexp.MustCompile(`^[A-Za-z0-9_./:,@+-]+$`)
	reserved  = strings.Fields("case coproc do done elif else end esac fi for foreach function if in nocorrect noglob " +
		"repeat select then time until while")
)

// quote returns a line for the user's shell that runs the command with just
// these arguments.
func quote(words []string) string {
	var quoted []string
	for i, word := range words {
		if !plainWord.MatchString(word) || i == 0 && slices.Contains(reserved, word) {
			word = "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
		}
		quoted = append(quoted, word)
	}
	return strings.Join(quoted, " ")
}
