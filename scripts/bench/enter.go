package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"
)

// insideVariable tells the re-executed bench where its programs are.
const insideVariable = "BENCH_PROGRAMS"

// enter compiles the peers and runs the bench again in namespaces of its own, of
// which it is process 1: when it ends, however it does, the kernel ends the rest.
func enter(s settings) error {
	if os.Geteuid() != 0 {
		return errors.New("the bench makes namespaces with users and PAM files of their own: run it as root, for example: sudo make bench")
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := gather(dir, s.programs); err != nil {
		return err
	}
	results, err := os.Create(filepath.Join(dir, "results"))
	if err != nil {
		return err
	}
	defer results.Close()
	err = again(ctx, dir, results)
	switch {
	case errors.Is(err, syscall.EPERM):
		return fmt.Errorf("no namespaces can be made here; in a container, give it CAP_SYS_ADMIN: %w", err)
	case ctx.Err() != nil:
		return errors.New("interrupted; everything it started has ended")
	case err != nil:
		return errors.New("failed; see above")
	}
	return keep(results.Name(), s.json)
}

// again runs this program as process 1 of new namespaces. Results go to its
// descriptor 3.
func again(ctx context.Context, dir string, results *os.File) error {
	runtime.LockOSThread() // Pdeathsig goes with the thread
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, self, os.Args[1:]...)
	cmd.Env = append(os.Environ(), insideVariable+"="+dir)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.ExtraFiles = []*os.File{results}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWNET,
		Pdeathsig:  syscall.SIGKILL,
		Setsid:     true, // keys are for this process
	}
	return cmd.Run()
}

// keep writes the results where they are wanted.
func keep(from, to string) error {
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	if err := os.WriteFile(to, text, 0o644); err != nil {
		return err
	}
	fmt.Fprintln(os.Stderr, "bench: the same as JSON:", to)
	return nil
}

// inside makes the private machine and runs the rows.
func inside(s settings) error {
	programs := os.Getenv(insideVariable)
	os.Clearenv()
	os.Setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
	os.Setenv("LC_ALL", "C")
	results := os.NewFile(3, "results")
	syscall.CloseOnExec(3)
	if err := makeMachine(programs); err != nil {
		return fmt.Errorf("make the private machine: %w", err)
	}
	b := &bench{settings: s, report: newReport(s)}
	if err := b.runRows(); err != nil {
		return err
	}
	b.report.summary(os.Stdout)
	return b.report.write(results)
}
