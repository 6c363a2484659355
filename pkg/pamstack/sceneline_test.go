package pamstack

import (
	"fmt"
	"strings"
)

// line makes a line, or several that are read as one.
func (s *scene) line(depth int) string {
	switch s.random.IntN(40) {
	case 0:
		return pick(s, choices{
			{6, "\n"}, {6, "# comment\n"}, {2, " \t# comment \\\n"}, {1, "\\\n"}, {1, "\r\n"}, {1, "\v\n"},
			{2, "  \n"},
		})
	case 1:
		if !s.odd {
			break
		}
		return "# " + strings.Repeat("long ", 190+s.random.IntN(30)) + "\n"
	case 2, 3:
		if s.libpam.Debian || s.odd && s.one(4) {
			return s.space(pick(s, choices{{9, "@include"}, {1, "-@Include"}})+" "+s.included(depth)) + "\n"
		}
	}
	if s.one(6) {
		return s.space(s.facility()+" "+pick(s, choices{
			{6, "include"}, {14, "substack"}, {2, "Include"}, {2, "[substack]"},
		})+" "+s.included(depth)) + "\n"
	}
	s.tag++
	line := s.facility() + " " + s.control() + " " + s.module()
	kind := s.random.IntN(60)
	if !s.odd {
		kind = -1
	}
	switch kind {
	case 0:
		line = s.facility()
	case 1:
		line = s.facility() + " " + s.control()
	case 2:
		line += " " + strings.Repeat("x", 900+s.random.IntN(150)) + " auth=0 y"
	case 3:
		line += "\x00 hidden \\"
	}
	return s.space(line) + pick(s, choices{{60, "\n"}, {2, " \n"}, {2, " # tail\n"}, {1, "#tail \\\n"}, {1, "\r\n"}})
}

// space varies what stands between fields, over several lines too.
func (s *scene) space(line string) string {
	var out strings.Builder
	for i := range len(line) {
		if line[i] != ' ' {
			out.WriteByte(line[i])
			continue
		}
		out.WriteString(pick(s, choices{
			{200, " "}, {10, "\t "}, {4, " \\\n "}, {2, "\\ \t\n"}, {1, " \\\n\n"}, {1, " \\\n# c\n"},
			{1, " \\\n\\\n"}, {1, "\\"},
		}))
	}
	return out.String()
}

func (s *scene) facility() string {
	return pick(s, choices{
		{40, "auth"}, {15, "account"}, {15, "password"}, {20, "session"}, {3, "-auth"}, {2, "-session"}, {2, "AUTH"},
		{2, "Account"}, {1, "bogus"}, {1, "[auth]"}, {1, "--auth"}, {1, "-"}, {1, "[]"}, {1, "auth["},
		{1, "@include"},
	})
}

func (s *scene) included(depth int) string {
	if s.odd && s.one(30) {
		depth = 0 // perhaps itself
	}
	file := fmt.Sprintf("inc%d", depth+s.random.IntN(4))
	return pick(s, choices{
		{40, file}, {4, "/abs/" + file}, {3, "/etc/pam.d/" + file}, {1, "missing"}, {2, "[" + file + "]"},
		{2, file + " ignored"}, {1, "../pam.d/" + file}, {1, ""}, {1, ".hidden"}, {1, "svc"}, {1, "[]"},
	})
}

func (s *scene) control() string {
	if s.one(3) {
		return "[" + s.pairs() + "]"
	}
	return pick(s, choices{
		{20, "required"}, {12, "requisite"}, {14, "sufficient"}, {14, "optional"}, {2, "REQUIRED"},
		{2, "[required]"}, {2, "Sufficient"}, {1, "success=ok"}, {1, "success=1"}, {1, "typo"}, {1, "["}, {1, "[]"},
		{1, "[success=ok"}, {1, "required,"}, {1, "default=ignore"},
	})
}

// pairs makes value=action pairs, rarely wrong ones.
func (s *scene) pairs() string {
	var out strings.Builder
	for range 1 + s.random.IntN(4) {
		value := pick(s, choices{{8, "success"}, {6, "default"}, {3, "ignore"}, {2, "new_authtok_reqd"}, {8, s.word()}})
		action := pick(s, choices{
			{8, "ok"}, {5, "done"}, {4, "bad"}, {4, "die"}, {6, "ignore"}, {9, "reset"}, {6, "1"}, {4, "2"}, {2, "3"},
			{2, fmt.Sprint(1 + s.random.IntN(12))},
		})
		pair := value + pick(s, choices{{30, "="}, {2, " = "}, {2, "\t="}, {2, "=\v"}}) + action
		if s.odd && s.one(50) {
			pair = pick(s, choices{
				{1, "success"}, {1, "Success=ok"}, {1, "success=okay"}, {1, "nosuch=ok"}, {1, "success="},
				{1, "success=2147483647"}, {1, "success=2147483648"}, {1, `a\]b`}, {1, "success=-1"}, {1, "success==ok"},
				{1, "success=0"},
			})
		}
		out.WriteString(pair)
		out.WriteString(pick(s, choices{{30, " "}, {2, ""}, {2, "  "}, {1, "\r"}}))
	}
	return out.String()
}

// word is the word for a code.
func (s *scene) word() string { return codeNames[s.random.IntN(codeCount)] }

// module makes a module's path and arguments.
func (s *scene) module() string {
	dir := s.libpam.ModuleDir
	path := pick(s, choices{
		{60, "pam_differential.so"}, {8, "pam_debug.so"}, {3, dir + "pam_differential.so"},
		{2, "../security/pam_differential.so"}, {3, "pam_half.so"}, {2, "pam_text.so"}, {3, "pam_missing.so"},
		{2, "/nosuch/pam_missing.so"}, {2, "pam_isa.so"}, {2, "$ISA/pam_isa.so"}, {2, dir + "$ISA/pam_isa.so"},
		{2, "[pam_differential.so]"}, {1, "pam_differential.so\r"},
	})
	if s.odd && s.one(75) {
		path = pick(s, choices{{1, ".so"}, {1, "/lib/"}, {1, "?.x"}, {1, "[]"}, {1, "[?]"}})
	}
	args := fmt.Sprintf(" tag=%d", s.tag)
	for _, event := range []string{"auth", "cred", "acct", "prechauthtok", "chauthtok", "open_session", "close_session"} {
		if s.one(2) {
			args += " " + event + "=" + s.code(strings.HasSuffix(path, "pam_debug.so"))
		}
	}
	if s.one(10) {
		args += pick(s, choices{
			{2, " [a  b]"}, {2, ` [f\]g]h`}, {2, " c[d e]"}, {2, ` a\ b`}, {2, " []"}, {2, ` "x y"`}, {2, " [open"},
			{2, "\v"},
		})
	}
	return path + args
}

// code makes what a module is told to return: pam_debug takes words.
func (s *scene) code(debug bool) string {
	code := Code(s.random.IntN(codeCount))
	if !s.one(3) {
		code = []Code{Success, Success, Success, AuthErr, Ignore, NewAuthtokReqd}[s.random.IntN(6)]
	}
	switch {
	case debug && code == Incomplete:
		return "nosuch" // pam_debug would be incomplete for ever
	case debug:
		return code.String()
	case s.one(50):
		code = []Code{-1, 32, 99, -7}[s.random.IntN(4)]
	}
	return fmt.Sprint(int(code))
}

func (s *scene) one(in int) bool { return s.random.IntN(in) == 0 }

// choices are what pick picks from, each with how often. Those of weight 1 are
// for odd scenes only, if there are others.
type choices []struct {
	weight int
	text   string
}

func pick(s *scene, from choices) string {
	total := 0
	for _, c := range from {
		total += c.weight
	}
	for {
		n := s.random.IntN(total)
		for _, c := range from {
			if n -= c.weight; n >= 0 {
				continue
			}
			if s.odd || c.weight > 1 || total == len(from) {
				return c.text
			}
			break
		}
	}
}
