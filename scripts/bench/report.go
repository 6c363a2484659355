package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// report is the whole run, as it is written to the file.
type report struct {
	Date    time.Time `json:"date"`
	Quick   bool      `json:"quick"`
	Machine machine   `json:"machine"`
	// Ratio says how ratios are made, Hashing how the password is hashed.
	Ratio   string   `json:"ratio"`
	Hashing string   `json:"hashing"`
	Tables  []*table `json:"tables"`
}

// machine is what the numbers depend on.
type machine struct {
	Cores   int    `json:"cores"`
	CPU     string `json:"cpu"`
	Kernel  string `json:"kernel"`
	Go      string `json:"go"`
	Libpam  string `json:"libpam"`
	OpenSSH string `json:"openssh"`
	Debian  string `json:"debian"`
	// Load is the load average of the last minute before the run (proc(5)).
	Load float64 `json:"load_before"`
}

func newReport(s settings) *report {
	return &report{
		Date: time.Now().UTC().Truncate(time.Second), Quick: s.quick, Machine: thisMachine(),
		Ratio: "ours to theirs, the median of the ratios of the rounds", Hashing: hashing,
	}
}

func thisMachine() machine {
	m := machine{Cores: runtime.NumCPU(), Go: runtime.Version(), CPU: lineOf("/proc/cpuinfo", "model name"), Libpam: libpam()}
	var name unix.Utsname
	if unix.Uname(&name) == nil {
		m.Kernel = unix.ByteSliceToString(name.Release[:])
	}
	load, _ := os.ReadFile("/proc/loadavg")
	fmt.Sscan(string(load), &m.Load)
	version, _ := os.ReadFile("/etc/debian_version")
	m.Debian = strings.TrimSpace(string(version))
	said, _ := exec.Command("ssh", "-V").CombinedOutput()
	m.OpenSSH, _, _ = strings.Cut(string(said), ",")
	return m
}

// lineOf is the value behind a name in a file of /proc.
func lineOf(file, name string) string {
	text, _ := os.ReadFile(file)
	_, after, _ := strings.Cut(string(text), name)
	value, _, _ := strings.Cut(after, "\n")
	return strings.TrimSpace(strings.TrimLeft(value, " \t:"))
}

// libpam is the file that libpam.so.0 is, whose name has its version.
func libpam() string {
	found, _ := filepath.Glob("/lib/*/libpam.so.0")
	if len(found) == 0 {
		return ""
	}
	target, _ := os.Readlink(found[0])
	return filepath.Base(target)
}

// summary prints all ratios that have a target, in one place.
func (r *report) summary(out io.Writer) {
	var judged []ratio
	for _, t := range r.Tables {
		for _, ratio := range t.Ratios {
			if ratio.Target != "" {
				ratio.row = strings.TrimSuffix(t.Row+", "+t.Case, ", ")
				judged = append(judged, ratio)
			}
		}
	}
	m := r.Machine
	fmt.Fprintf(out, "%s, %d cores (%s), Linux %s, Debian %s, %s, %s, %s\n", r.Date.Format(time.DateOnly), m.Cores, m.CPU, m.Kernel, m.Debian, m.Libpam, m.OpenSSH, m.Go)
	fmt.Fprintf(out, "ratios are %s (quartiles); passwords: %s\n", r.Ratio, r.Hashing)
	if m.Load > float64(m.Cores)/4 {
		fmt.Fprintf(out, "THE MACHINE WAS BUSY: its load was %v before. Of a processor that is fought over, whoever has more processes gets more:\nrates and what is done at once are worth nothing then, the rest little.\n", m.Load)
	}
	printRatios(out, judged)
}

func (r *report) write(out io.Writer) error {
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	return encoder.Encode(r)
}
