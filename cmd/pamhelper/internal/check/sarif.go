package check

import (
	"io"
	"net/url"

	"github.com/pamhelper/pamhelper/pkg/pamstack/check"
)

// object is a JSON object of SARIF 2.1.0 (OASIS), of which little is needed.
type object map[string]any

// sarifLevels are SARIF's words for the severities.
var sarifLevels = map[check.Severity]string{check.Error: "error", check.Warning: "warning", check.Info: "note"}

func printSARIF(out io.Writer, found []check.Finding) error {
	rules, results := []object{}, []object{}
	known := map[string]bool{}
	for _, f := range found {
		if !known[f.ID] {
			known[f.ID] = true
			rules = append(rules, object{"id": f.ID, "fullDescription": object{"text": f.Effect}, "help": object{"text": f.Remedy}})
		}
		results = append(results, sarifResult(f))
	}
	return printObject(out, object{
		"$schema": "https://json.schemastore.org/sarif-2.1.0.json",
		"version": "2.1.0",
		"runs": []object{{
			"tool":    object{"driver": object{"name": "pamhelper check", "rules": rules}},
			"results": results,
		}},
	}, "  ")
}

func sarifResult(f check.Finding) object {
	place := object{"artifactLocation": object{"uri": (&url.URL{Scheme: "file", Path: f.File}).String()}}
	if f.Line > 0 {
		place["region"] = object{"startLine": f.Line}
	}
	return object{
		"ruleId": f.ID, "level": sarifLevels[f.Severity],
		"message":    object{"text": f.Problem},
		"locations":  []object{{"physicalLocation": place}},
		"properties": object{"services": append([]string{}, f.Services...)},
	}
}
