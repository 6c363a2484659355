package main

import (
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// throughShell returns the arguments that a command gets through the shell.
func throughShell(t *testing.T, shell string, words []string) []string {
	t.Helper()
	line := quote(append([]string{"printf", `%s\0`}, words...))
	out, err := exec.Command(shell, "-c", line).Output()
	if err != nil {
		t.Fatalf("%s -c %q: %v", shell, line, err)
	}
	return strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
}

func TestArgumentsReachTheCommandAsTheyAre(t *testing.T) {
	t.Parallel()
	words := []string{
		"", " ", "a b", "\t", "'", "''", `"`, `'"'`, `\`, `\\`, `\n`, "one\ntwo", "\n", "trailing\n", "$HOME", "${x}", "$(id)", "`id`",
		"*", "?", "[a]", "~", "~root", "a;b", "a|b", "&", ">x", "<x", "#x", "!", "!!", "{a,b}", "(x)", "A=b", "--", "-n", "-", "=ls", "%1", "^",
		"if", "é", "\xff\xfe", "\x01\x7f", "plain", "/a/b.c-d_e:f,g@h+1",
	}
	if got := throughShell(t, "/bin/sh", words); !slices.Equal(got, words) {
		t.Errorf("got  %q\nwant %q", got, words)
	}
}

func TestAnyBytesReachTheCommandAsTheyAre(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	var words []string
	for range 2000 {
		word := make([]byte, random.IntN(12))
		for i := range word {
			word[i] = byte(1 + random.IntN(255))
		}
		words = append(words, string(word))
	}
	if got := throughShell(t, "/bin/sh", words); !slices.Equal(got, words) {
		t.Errorf("got  %q\nwant %q", got, words)
	}
}

// TestACommandWithAnyNameIsRun: also one that the shell has a meaning for.
func TestACommandWithAnyNameIsRun(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	names := append(strings.Fields("! { } [[ case coproc do done elif else esac fi for function if in select then time until while"),
		"a b", "A=b", "#", "it's", "~", "$x", "new\nline")
	for _, shell := range []string{"/bin/sh", "/bin/bash"} {
		if _, err := os.Stat(shell); err != nil {
			continue
		}
		for _, name := range names {
			if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\nprintf '%s' \"$0\"\n"), 0o755); err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(shell, "-c", quote([]string{name}))
			cmd.Env = []string{"PATH=" + dir}
			out, err := cmd.CombinedOutput()
			if want := filepath.Join(dir, name); string(out) != want || err != nil {
				t.Errorf("%s ran %q, %v; want %q", shell, out, err, want)
			}
		}
	}
}

func TestPlainWordsAreNotQuoted(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		words []string
		want  string
	}{
		{nil, ""},
		{[]string{""}, "''"},
		{[]string{"ls", "-l", "/tmp/x.y"}, "ls -l /tmp/x.y"},
		{[]string{"if", "if"}, "'if' if"},
		{[]string{"sh", "-c", "a | b"}, "sh -c 'a | b'"},
		{[]string{"echo", "it's"}, `echo 'it'\''s'`},
	} {
		if got := quote(c.words); got != c.want {
			t.Errorf("%q: got %s, want %s", c.words, got, c.want)
		}
	}
}
