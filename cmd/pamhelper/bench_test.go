package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/pamhelper/pamhelper/pkg/ipc"
)

// The same transaction in every benchmark: four pam_permit lines, from
// pam_start to pam_end. Numbers of one run are compared, never those of two.

var wholeLogin = []ipc.Step{ipc.Authenticate, ipc.Account, ipc.Credentials, ipc.OpenSession, ipc.CloseSession, ipc.End}

func BenchmarkTransaction(b *testing.B) {
	confdir := benchService(b)
	reference := compile(b)
	helper := ipc.Exec{Path: buildHelper(b), Args: []string{"--debug", "--confdir", confdir}}

	b.Run("C in one process", func(b *testing.B) {
		out, err := exec.Command(reference, confdir, strconv.Itoa(b.N)).Output()
		if err != nil {
			b.Fatal(err)
		}
		nanoseconds, err := strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(nanoseconds/float64(b.N), "ns/op")
	})
	b.Run("C process each", func(b *testing.B) {
		for b.Loop() {
			if err := exec.Command(reference, confdir, "1").Run(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("running worker", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			b.StopTimer()
			client := dialBench(b, helper)
			b.StartTimer()
			login(b, client)
			b.StopTimer()
			client.Close()
			b.StartTimer()
		}
	})
	b.Run("worker each", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			client := dialBench(b, helper)
			login(b, client)
			client.Close()
		}
	})
}

func BenchmarkSpawn(b *testing.B) {
	helper := ipc.Exec{Path: buildHelper(b), Args: []string{"--debug"}}
	b.Run("to first answer", func(b *testing.B) {
		for b.Loop() {
			client := dialBench(b, helper)
			b.StopTimer()
			client.Close()
			b.StartTimer()
		}
	})
	b.Run("an empty C process", func(b *testing.B) {
		for b.Loop() {
			if err := exec.Command("/bin/true").Run(); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func dialBench(b *testing.B, helper ipc.Exec) *ipc.Client {
	client, err := ipc.Dial(b.Context(), helper, ipc.Options{})
	if err != nil {
		b.Fatal(err)
	}
	return client
}

func login(b *testing.B, client *ipc.Client) {
	if _, err := client.Login(b.Context(), ipc.Login{Service: "bench", User: "root"}, wholeLogin...); err != nil {
		b.Fatal(err)
	}
}

func benchService(b *testing.B) string {
	dir := b.TempDir()
	lines := ""
	for _, facility := range []string{"auth", "account", "password", "session"} {
		lines += facility + " required pam_permit.so\n"
	}
	if err := os.WriteFile(filepath.Join(dir, "bench"), []byte(lines), 0o644); err != nil {
		b.Fatal(err)
	}
	return dir
}

func buildHelper(b *testing.B) string {
	path := filepath.Join(b.TempDir(), "pamhelper")
	if out, err := exec.Command("go", "build", "-o", path, ".").CombinedOutput(); err != nil {
		b.Fatalf("build: %v\n%s", err, out)
	}
	return path
}

func compile(b *testing.B) string {
	path := filepath.Join(b.TempDir(), "transaction")
	if out, err := exec.Command("cc", "-O2", "-o", path, "testdata/transaction.c", "-lpam").CombinedOutput(); err != nil {
		b.Fatalf("compile: %v\n%s", err, out)
	}
	return path
}
