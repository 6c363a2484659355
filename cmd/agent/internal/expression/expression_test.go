package expression

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

var alice = map[string][]string{
	"email":    {"alice@example.com"},
	"emails":   {"Alice <alice@example.com>", "a.lice@example.org"},
	"groups":   {"team-dev", "other", "team-ops"},
	"none":     {},
	"null":     nil,
	"blank":    {"", "x", ""},
	"odd name": {"odd"},
	"naïve":    {"oui"},
	"lines":    {"one\ntwo"},
	"nul":      {"a\x00b"},
	"latin":    {"caf\xe9"},
	"long":     {strings.Repeat("x", MaxValue+1)},
	"many":     {strings.Repeat("x", MaxValue/2), strings.Repeat("y", MaxValue/2)},
}

func TestValuesOfExpressions(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                                            "",
		"bar":                                         "bar",
		"  kept as it is ":                            "  kept as it is ",
		"one { brace }":                               "one { brace }",
		"$1 \\n":                                      "$1 \\n",
		"{{external.email}}":                          "alice@example.com",
		" {{ external.email }}\t":                     "alice@example.com",
		"{{\texternal.email\n}}":                      "alice@example.com",
		`{{ external["email"] }}`:                     "alice@example.com",
		"{{ external[`email`] }}":                     "alice@example.com",
		`{{ external[ "odd name" ] }}`:                "odd",
		"{{ external.naïve }}":                        "oui",
		"mailto:{{ external.email }}?x":               "mailto:alice@example.com?x",
		"  a {{ external.email }} b  ":                "a alice@example.com b",
		"<{{ external.groups }}>":                     "<team-dev> <other> <team-ops>",
		"{{ external.none }}":                         "",
		"<{{ external.null }}>":                       "",
		"<{{ external.blank }}>":                      "<x>",
		`{{ "text" }}`:                                "text",
		`{{ "}}" }}`:                                  "}}",
		"{{ email.local(external.email) }}":           "alice",
		"{{email.local( external.emails )}}":          "alice a.lice",
		`{{ email.local("bob@example.com") }}`:        "bob",
		`{{ email.local("\"root@x\"@example.com") }}`: "root@x",
		`{{ regexp.replace(external.groups, "^team-(.*)$", "$1") }}`:                                "dev ops",
		`{{ regexp.replace(external.groups, "^team-(?P<n>.*)$", "${n}s") }}`:                        "devs opss",
		"{{ regexp.replace(external.groups, `^team-\\w+$`, `t`) }}":                                 "t t",
		`{{ regexp.replace(external.groups, "\\w{3,}-", "") }}`:                                     "dev ops",
		`<{{ regexp.replace(external.groups, "nothing", "x") }}>`:                                   "",
		`{{ regexp.replace(external.groups, "^team-.*", "") }}`:                                     "",
		`{{ regexp.replace(external.email, "[aeiou]", "") }}`:                                       "lc@xmpl.cm",
		`{{ regexp.replace(email.local(external.email), "^a", "A") }}`:                              "Alice",
		`{{ email.local(regexp.replace(external.groups, "^team-(.*)$", "$1@x.org")) }}`:             "dev ops",
		`{{ regexp.replace(regexp.replace(external.groups, "^team-", ""), "^dev$", "developer") }}`: "developer",
		`{{ regexp.replace("constant", "^c", "k") }}`:                                               "konstant",
	} {
		e, err := Parse(text)
		if err != nil {
			t.Errorf("%s: got %v, want it to be taken", text, err)
			continue
		}
		if got, err := e.Evaluate(alice); err != nil || got != want {
			t.Errorf("%s: got %q and %v, want %q", text, got, err, want)
		}
	}
}

func TestWhatIsKnownToBeWrongIsRefusedWithItsPlace(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat("email.local(", maxDepth+1) + "external.a" + strings.Repeat(")", maxDepth+1)
	for _, test := range []struct {
		text   string
		offset int
		want   string
	}{
		{"{{", 2, "expected an expression, such as external.email"},
		{"{{}}", 2, "expected an expression, such as external.email"},
		{"}}", 0, "}} without {{ before it"},
		{"a }} {{ external.a }}", 2, "a brace outside of {{ and }}; only one expression is taken, and no other brace with it"},
		{"{{ external.a }", 14, "expected }}, found '}'"},
		{"{{ external.a", 13, "the text ends here, and the expression does not: }} is missing"},
		{"{{ email.local(external.a", 25, "the text ends here, and the expression does not: ) is missing"},
		{"{{ user.traits.email }}", 3, "user.traits is not known; claims are external.NAME"},
		{"{{ external.a }} {{ external.b }}", 17, "a brace behind }}; only one expression is taken, and no other brace with it"},
		{"{{ external }}", 11, "expected . behind external, as in external.email"},
		{"{{ external. }}", 12, "expected a name behind external."},
		{"{{ external.a.b }}", 13, `unexpected '.'; a name with other characters than letters, digits and _ is written external["name"]`},
		{"{{ external.a-b }}", 13, `unexpected '-'; a name with other characters than letters, digits and _ is written external["name"]`},
		{"{{ external.a b }}", 14, `unexpected 'b'; a name with other characters than letters, digits and _ is written external["name"]`},
		{`{{ external[a] }}`, 12, `expected a name in double quotes or backquotes, found 'a'; write external["NAME"]`},
		{`{{ external['a'] }}`, 12, `expected a name in double quotes or backquotes, found '\''; write external["NAME"]`},
		{`{{ external["a" }}`, 16, "expected ], found '}'"},
		{`{{ external[""] }}`, 3, "a claim with an empty name"},
		{"{{ internal.logins }}", 3, "internal.logins: variables for PAM are made of external claims only, as in Teleport"},
		{"{{ user.name }}", 3, "user.name is not known; claims are external.NAME"},
		{"{{ 1 }}", 3, "expected an expression, such as external.email"},
		{"{{ email.domain(external.a) }}", 3, "there is no function email.domain; there are email.local and regexp.replace"},
		{`{{ regexp.match("a") }}`, 3, "regexp.match answers yes or no, which is no value for a variable; regexp.replace drops what does not match"},
		{"{{ email.local() }}", 15, "expected an expression, such as external.email"},
		{"{{ email.local(external.a, external.b) }}", 25, "email.local takes no more than 1"},
		{"{{ email.local(external.a }}", 26, "expected ), found '}'"},
		{`{{ regexp.replace(external.a) }}`, 28, `expected a comma: regexp.replace(external.NAME, "PATTERN", "REPLACEMENT")`},
		{`{{ regexp.replace(external.a, "b", "c", "d") }}`, 38, "regexp.replace takes no more than 3"},
		{`{{ regexp.replace(external.a, external.b, "c") }}`, 30, "expected a string in double quotes or backquotes, found 'e'"},
		{`{{ regexp.replace(external.a, "[", "c") }}`, 30, "the pattern of regexp.replace: missing closing ]: `[`"},
		{`{{ regexp.replace(external.a, "(?=x)", "") }}`, 30, "the pattern of regexp.replace: invalid or unsupported Perl syntax: `(?=`"},
		{`{{ regexp.replace(external.a, "\d", "") }}`, 30, `a string without its end, or with an escape that is none; a backslash is written \\, or the string in backquotes`},
		{`{{ "a }}`, 3, `a string without its end, or with an escape that is none; a backslash is written \\, or the string in backquotes`},
		{`{{ email.local("nobody") }}`, 0, `email.local: "nobody" is no mail address`},
		{"{{ " + deep + " }}", 3 + maxDepth*len("email.local("), "calls are nested more than 8 deep"},
		{"a\nb", 0, `the value "a\nb" holds a control character, such as a newline`},
		{"a\n{{ external.a }}", 2, `the value "a\n" holds a control character, such as a newline`},
		{`{{ "a\x00" }}`, 0, `the value "a\x00" holds a control character, such as a newline`},
		{`{{ "\xff" }}`, 0, `the value "\xff" is not UTF-8`},
		{strings.Repeat("x", maxText+1), maxText, "the value has 4097 bytes; at most 4096"},
	} {
		_, err := Parse(test.text)
		var got *Error
		if !errors.As(err, &got) {
			t.Errorf("%s: got %v, want %q", test.text, err, test.want)
			continue
		}
		if got.Offset != test.offset || got.Text != test.want {
			t.Errorf("%s:\ngot  %d: %s\nwant %d: %s", test.text, got.Offset, got.Text, test.offset, test.want)
		}
	}
}

func TestAClaimThatIsNotThereIsToldByName(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"{{ external.phone }}", `{{ regexp.replace(email.local(external["phone"]), "a", "b") }}`} {
		e, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		_, err = e.Evaluate(alice)
		var missing *MissingError
		if !errors.As(err, &missing) || missing.Claim != "phone" {
			t.Errorf("%s: got %v, want that phone is missing", text, err)
		}
		if got, want := e.Claims(), []string{"phone"}; !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got the claims %q, want %q", text, got, want)
		}
	}
}

func TestUnusableValuesAreErrors(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"{{ external.lines }}":                            `the value "one\ntwo" holds a control character, such as a newline`,
		"{{ external.nul }}":                              `the value "a\x00b" holds a control character, such as a newline`,
		"{{ external.latin }}":                            `the value "caf\xe9" is not UTF-8`,
		"{{ external.long }}":                             "the value has 16385 bytes; at most 16384",
		"{{ external.many }}":                             "the value has 16385 bytes; at most 16384",
		"{{ email.local(external.groups) }}":              `email.local: "team-dev" is no mail address`,
		"{{ email.local(external.blank) }}":               `email.local: "" is no mail address`,
		`{{ regexp.replace(external.many, "x", "xxx") }}`: "regexp.replace: a value of 24576 bytes; at most 16384",
	} {
		e, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := e.Evaluate(alice); fmt.Sprint(err) != want {
			t.Errorf("%s: got %.40q and %v, want %s", text, got, err, want)
		}
	}
}
