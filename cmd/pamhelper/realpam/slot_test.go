package realpam_test

import (
	"bufio"
	"errors"
	"os/exec"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/pamhelper/pamhelper/cmd/pamhelper/internal/slot"
)

// hold makes n processes hold the first n slots that a pool has for key 0.
func hold(t *testing.T, pool slot.Pool, n int) {
	t.Helper()
	if err := take(pool, 0, 1); err != nil { // makes the directory
		t.Fatal(err)
	}
	program := t.TempDir() + "/holders"
	if err := command("gcc", "-o", program, "testdata/holders.c"); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "/run/pamhelper/slots/"+string(pool), strconv.Itoa(n))
	stdin, err1 := cmd.StdinPipe()
	stdout, err2 := cmd.StdoutPipe()
	if err := errors.Join(err1, err2, cmd.Start()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stdin.Close()
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	})
	if line, err := bufio.NewReader(stdout).ReadString('\n'); line != "ready\n" {
		t.Fatalf("got %q, %v; want it ready", line, err)
	}
}

// take takes a slot of a pool and lets it go.
func take(pool slot.Pool, key, limit uint32) error {
	slots, err := slot.Open(3)
	if err != nil {
		return err
	}
	defer slots.Close()
	taken, err := slots.Take(pool, key, limit)
	taken.Release()
	return err
}

func TestASlotAmongAThousandCostsNoTimeThatAnybodyFeels(t *testing.T) {
	ready(t)
	hold(t, "thousand", 999)
	for _, c := range []struct {
		name  string
		limit uint32
		want  error
	}{
		{"half of them free", 2000, nil},
		{"the last free one", 1000, nil},
		{"none free", 999, slot.ErrFull},
	} {
		var took []time.Duration
		for range 50 {
			began := time.Now()
			err := take("thousand", 0, c.limit)
			took = append(took, time.Since(began))
			if !errors.Is(err, c.want) {
				t.Fatalf("%s: got %v, want %v", c.name, err, c.want)
			}
		}
		slices.Sort(took)
		t.Logf("%s: %s in the middle, %s at most", c.name, took[25], took[49])
		if took[25] > 50*time.Millisecond {
			t.Errorf("%s: %s, want less than 50ms", c.name, took[25])
		}
	}
}

func TestSlotsOfOneKeyAreNoneOfAnother(t *testing.T) {
	ready(t)
	hold(t, "keys", 3)
	if err := take("keys", 0, 3); !errors.Is(err, slot.ErrFull) {
		t.Errorf("key 0: got %v, want %v", err, slot.ErrFull)
	}
	// The first of these is in the same file, the last is the largest that there is.
	for _, key := range []uint32{64, 1, 4294967294} {
		if err := take("keys", key, 3); err != nil {
			t.Errorf("key %d: got %v, want a slot", key, err)
		}
	}
}
