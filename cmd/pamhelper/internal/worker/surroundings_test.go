package worker

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// floor is PAMHELPER_FD_FLOOR of constructor.h.
const floor = 32

func TestWhatIsOpenedAboveTheFloorLeavesTheModulesTheirNumbers(t *testing.T) {
	module, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer module.Close()
	below := openBelow()
	var opened *os.File
	if err := aboveFloor(func() (err error) {
		opened, err = os.Open(os.DevNull)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	defer opened.Close()
	if number := int(opened.Fd()); number < floor {
		t.Errorf("opened as %d, want %d or above", number, floor)
	}
	if after := openBelow(); after != below {
		t.Errorf("descriptors below the floor: got %032b, want %032b as before", after, below)
	}
}

func TestAFailureAboveTheFloorGivesTheNumbersBack(t *testing.T) {
	below := openBelow()
	if err := aboveFloor(func() error { return unix.ENOSPC }); err != unix.ENOSPC {
		t.Errorf("got %v, want what the function returned", err)
	}
	if after := openBelow(); after != below {
		t.Errorf("descriptors below the floor: got %032b, want %032b as before", after, below)
	}
}

// openBelow has a bit for each open descriptor below the floor.
func openBelow() (open uint32) {
	for number := range floor {
		if _, err := unix.FcntlInt(uintptr(number), unix.F_GETFD, 0); err == nil {
			open |= 1 << number
		}
	}
	return open
}
