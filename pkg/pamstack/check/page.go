package check

import (
	_ "embed"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
)

//go:embed CHECKS.md
var pageText string

// entry is what the page says about an id.
type entry struct {
	Severities []string // that it can have
	Effect     string   // one paragraph
	Remedy     string   // one paragraph
	Text       string   // all of it, as Markdown
	Examples   []example
}

// example is a block of the page: the wrong one first, then the right one.
type example struct {
	language string // "pam" is a service's file that the tests read
	text     string
}

// page is read when it is first wanted: who only links this package does not pay for it.
var page = sync.OnceValue(func() map[string]entry { return parsePage(pageText) })

// IDs returns the ids of all findings, in order.
func IDs() []string { return slices.Sorted(maps.Keys(page())) }

// Explain returns what the page says about an id, as Markdown.
func Explain(id string) (string, error) {
	e, known := page()[id]
	if !known {
		return "", fmt.Errorf("there is no finding %.40q", id)
	}
	return e.Text, nil
}

func parsePage(text string) map[string]entry {
	entries := map[string]entry{}
	for _, section := range strings.Split(text, "\n## ")[1:] {
		section, _, _ = strings.Cut(section, "\n\n# ") // the heading of the next part
		id, body, _ := strings.Cut(section, "\n")
		e := entry{Text: "## " + strings.TrimSpace(section) + "\n", Examples: parseExamples(body)}
		for paragraph := range strings.SplitSeq(body, "\n\n") {
			paragraph = strings.Join(strings.Fields(paragraph), " ")
			if list, is := strings.CutPrefix(paragraph, "Severity: "); is {
				e.Severities = strings.Split(strings.TrimSuffix(list, "."), ", ")
			}
			if effect, is := strings.CutPrefix(paragraph, "**What happens.** "); is {
				e.Effect = effect
			}
			if remedy, is := strings.CutPrefix(paragraph, "**What to do.** "); is {
				e.Remedy = remedy
			}
		}
		entries[id] = e
	}
	return entries
}

func parseExamples(body string) (list []example) {
	blocks := strings.Split(body, "\n```")
	for i := 1; i < len(blocks); i += 2 {
		language, text, _ := strings.Cut(blocks[i], "\n")
		list = append(list, example{language, text + "\n"})
	}
	return list
}
