package pamstack

import (
	"fmt"
	"testing"
)

func TestIncludedNamesTheFileAndWhatIsBehind(t *testing.T) {
	for text, want := range map[string]string{
		"@include common":           "@include common []",
		"-@INCLUDE common a [b c]":  "@include common [a b c]",
		"@include":                  "@include  []",
		"auth include common":       "include common []",
		"auth Substack common a":    "substack common [a]",
		"auth [include] common":     "include common []",
		"auth include":              "include  []",
		"-auth include common":      "include common []",
		"auth -include common":      "none",
		"auth required include":     "none",
		"@include include substack": "@include include [substack]",
		"auth [x include] common":   "none",
		"":                          "none",
		"auth":                      "none",
	} {
		got := "none"
		if how, file, rest, ok := (&Line{File: "/etc/pam.d/x", Text: text}).Included(); ok {
			got = fmt.Sprint(how, " ", file, " ", rest)
		}
		if got != want {
			t.Errorf("%q: got %s, want %s", text, got, want)
		}
	}
	if how, file, _, _ := (&Line{File: "/etc/pam.conf", Text: "svc auth include common"}).Included(); how != "include" || file != "common" {
		t.Errorf("in pam.conf: got %s %s, want include common", how, file)
	}
}

func TestControlTellsItsBrackets(t *testing.T) {
	for text, want := range map[string]string{
		"auth required x.so":                   "required false false",
		"auth [success=1 default=ignore] x.so": "success=1 default=ignore true true",
		"auth [success=1] ":                    "success=1 true true",
		"auth [success=1]x.so":                 "success=1 true true",
		"auth [success=1 x.so":                 "success=1 x.so true false",
		`auth [success=1 x.so\]`:               "success=1 x.so] true false",
		"auth success=1 x.so":                  "success=1 false false",
		"auth":                                 " false false",
	} {
		control, bracketed, closed := (&Line{Text: text}).Control()
		if got := fmt.Sprint(control, " ", bracketed, " ", closed); got != want {
			t.Errorf("%q: got %s, want %s", text, got, want)
		}
	}
}
