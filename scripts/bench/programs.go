package main

import (
	"embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// peers are the C programs that the helper is compared with.
//
//go:embed peers/*.c
var peers embed.FS

// The programs that make a transaction straight.
const (
	inC  = "transaction" // peers/transaction.c
	inGo = "bare"        // the same in a program of Go
)

// gather puts all programs that are measured into one directory: the ones that were
// built, the peers in C, and this one, which is also the agent.
func gather(dir, built string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	for name, from := range map[string]string{
		"pamhelper": filepath.Join(built, "pamhelper"), "agent": filepath.Join(built, "agent"), "bench": self,
		inGo: filepath.Join(built, inGo),
	} {
		program, err := os.ReadFile(from)
		if err != nil {
			return fmt.Errorf("%w; build it: make bench", err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), program, 0o755); err != nil {
			return err
		}
	}
	for name, library := range map[string]string{inC: "-lpam", "spawner": "-lpthread"} {
		if err := compile(dir, name, library); err != nil {
			return err
		}
	}
	return nil
}

func compile(dir, name, library string) error {
	source, err := peers.ReadFile("peers/" + name + ".c")
	if err != nil {
		return err
	}
	file := filepath.Join(dir, name+".c")
	if err := os.WriteFile(file, source, 0o644); err != nil {
		return err
	}
	if out, err := exec.Command("cc", "-O2", "-o", filepath.Join(dir, name), file, library).CombinedOutput(); err != nil {
		return fmt.Errorf("compile %s.c: %w\n%s", name, err, out)
	}
	return nil
}
