package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// unknown says what to do about a key that is not known.
func unknown(path, key string) string {
	whole := strings.TrimPrefix(path+"."+key, ".")
	if what, known := teleports[path]; known && slices.Contains(what, key) {
		return ofTeleport(path, key)
	}
	if other := elsewhere(path, key); other != "" {
		return fmt.Sprintf("%s is not known; %s stands in %s", shownKey(whole), key, other)
	}
	if hint := suggestion(key, keys[path]); hint != "" {
		return shownKey(whole) + " is not known" + hint
	}
	return fmt.Sprintf("%s is not known; the keys of %s are %s", shownKey(whole), named(path), strings.Join(keys[path], ", "))
}

// shownKey is a key of the file, for a message.
func shownKey(path string) string {
	const most = 80
	quoted := []rune(strings.Trim(strconv.Quote(path), `"`))
	if len(quoted) > most {
		return string(quoted[:most]) + "…"
	}
	return string(quoted)
}

// elsewhere is the one section that has the key.
func elsewhere(path, key string) string {
	var found []string
	for section, known := range keys {
		if section != path && section != "" && slices.Contains(known, key) {
			found = append(found, section)
		}
	}
	if len(found) != 1 {
		return ""
	}
	return found[0]
}

// suggestion is the known word that is nearest, where one is near.
func suggestion(word string, known []string) string {
	if len(word) > 64 {
		return ""
	}
	best, least := "", 1+min(max(2, len(word)/4), len(word)/2)
	for _, candidate := range known {
		if d := distance(folded(word), folded(candidate)); d < least {
			best, least = candidate, d
		}
	}
	if best == "" {
		best = beginning(folded(word), known)
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %s?", best)
}

// beginning is the known word that begins with word, or that word begins with.
func beginning(word string, known []string) string {
	for _, candidate := range known {
		short, long := min(word, candidate), max(word, candidate) // a beginning sorts before the whole
		if len(short) > 2 && strings.HasPrefix(long, short) {
			return candidate
		}
	}
	return ""
}

// folded is a word without what people mix up.
func folded(word string) string { return strings.ReplaceAll(strings.ToLower(word), "-", "_") }

// distance is the number of letters to insert, remove, replace or swap with their
// neighbour, to make a into b.
func distance(a, b string) int {
	var before, last []int
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		before, last, row = last, row, make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
	}
	return row[len(b)]
}
