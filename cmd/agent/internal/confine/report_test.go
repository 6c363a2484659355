package confine

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestWhatEachKernelLacks(t *testing.T) {
	const off = "Landlock (CONFIG_SECURITY_LANDLOCK, Linux 5.13)"
	for _, test := range []struct {
		kernel  kernelLandlock
		seccomp bool
		open    []string // protected by nothing
		closed  []string // protected by seccomp
	}{
		{kernelLandlock{off: off}, true,
			[]string{"reading", "an accepted", "abstract", "unix sockets"}, []string{"writing", "truncating", "new TCP", "ioctls", "signals", "UDP"}},
		{kernelLandlock{off: off}, false,
			[]string{"reading", "writing", "truncating", "new TCP", "an accepted", "ioctls", "abstract", "signals", "unix sockets", "UDP"}, nil},
		{kernelLandlock{abi: 1}, true,
			[]string{"an accepted", "abstract", "unix sockets"}, []string{"truncating", "new TCP", "ioctls", "signals", "UDP"}},
		{kernelLandlock{abi: 2}, true,
			[]string{"an accepted", "abstract", "unix sockets"}, []string{"truncating", "new TCP", "ioctls", "signals", "UDP"}},
		{kernelLandlock{abi: 3}, true,
			[]string{"an accepted", "abstract", "unix sockets"}, []string{"new TCP", "ioctls", "signals", "UDP"}},
		{kernelLandlock{abi: 4}, true, []string{"abstract", "unix sockets"}, []string{"ioctls", "signals", "UDP"}},
		{kernelLandlock{abi: 5}, true, []string{"abstract", "unix sockets"}, []string{"signals", "UDP"}},
		{kernelLandlock{abi: 6, scopeBug: true}, true, []string{"abstract", "unix sockets"}, []string{"signals", "UDP"}},
		{kernelLandlock{abi: 6}, true, []string{"unix sockets"}, []string{"UDP"}},
		{kernelLandlock{abi: 7}, true, []string{"unix sockets"}, []string{"UDP"}},
		{kernelLandlock{abi: 7}, false, []string{"unix sockets", "UDP"}, nil},
		{kernelLandlock{abi: 8}, true, []string{"unix sockets"}, []string{"UDP"}},
		{kernelLandlock{abi: 9}, true, nil, []string{"UDP"}},
		{kernelLandlock{abi: 10}, true, nil, nil},
		{kernelLandlock{abi: 11}, true, nil, nil},
		{kernelLandlock{abi: 40}, false, nil, nil},
	} {
		t.Run(fmt.Sprintf("%+v seccomp %v", test.kernel, test.seccomp), func(t *testing.T) {
			var open, closed []string
			for _, lack := range test.kernel.lacks(test.seccomp, true) {
				if lack.Needs == "" || lack.Protection != "landlock" {
					t.Errorf("%+v does not say what it needs of Landlock", lack)
				}
				if lack.ClosedBy == "" {
					open = append(open, lack.Open)
				} else {
					closed = append(closed, lack.Open)
				}
			}
			compare(t, "open", open, test.open)
			compare(t, "closed by seccomp", closed, test.closed)
		})
	}
}

func TestAnAgentThatConnectsToNothingNeedsNoLandlockForThat(t *testing.T) {
	var open []string
	for _, lack := range (kernelLandlock{}).lacks(true, false) {
		if lack.ClosedBy == "" {
			open = append(open, lack.Open)
		}
	}
	compare(t, "open", open, []string{"reading files"})
	if lacks := (kernelLandlock{abi: 4}).lacks(false, false); lacks[1].ClosedBy != "" {
		t.Errorf("%+v, want nothing closed by seccomp where there is none", lacks)
	}
}

// compare holds each line to a part of it.
func compare(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.EqualFunc(got, want, strings.Contains) {
		t.Errorf("%s:\n got %q\nwant %q", what, got, want)
	}
}

func TestWhatALackNeeds(t *testing.T) {
	for _, test := range []struct {
		kernel kernelLandlock
		want   string
	}{
		{kernelLandlock{abi: 7}, "Landlock ABI 10; the kernel has 7"},
		{kernelLandlock{off: "Landlock to be enabled"}, "Landlock to be enabled"},
	} {
		lacks := test.kernel.lacks(true, true)
		if got := lacks[len(lacks)-1].Needs; got != test.want {
			t.Errorf("%+v needs %q, want %q", test.kernel, got, test.want)
		}
	}
	scopes := kernelLandlock{abi: 7, scopeBug: true}.lacks(true, true)[0]
	if want := "a kernel whose Landlock is mended (erratum 2)"; scopes.Needs != want {
		t.Errorf("%+v, want it to need %q", scopes, want)
	}
}

func TestAKernelWithoutSeccompIsNoError(t *testing.T) {
	for _, test := range []struct {
		err    error
		loaded bool
		fails  bool
	}{
		{nil, true, false},
		{unix.ENOSYS, false, false},
		{unix.EINVAL, false, false},
		{unix.EACCES, false, true},
		{errors.New("thread 5 has a filter of its own"), false, true},
	} {
		state, err := stateOf(test.err)
		if state.loaded != test.loaded || (err != nil) != test.fails {
			t.Errorf("%v gives %+v, %v; want loaded %v, an error %v", test.err, state, err, test.loaded, test.fails)
		}
		if lacks := state.lacks(); !test.fails && (len(lacks) == 0) != test.loaded {
			t.Errorf("%v: lacks %+v, want none only where the filter is loaded", test.err, lacks)
		}
	}
}

func TestTheLogTellsWhatIsOpen(t *testing.T) {
	var out bytes.Buffer
	log := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
	report := Report{LandlockABI: 7, Seccomp: true, Lacks: kernelLandlock{abi: 7}.lacks(true, true)}
	report.log(Config{ReadDirs: []string{"/etc/agent"}, Log: log})
	want := `level=WARN msg="the kernel lacks a protection" protection=landlock open="connecting to unix sockets outside of the agent's directories" needs="Landlock ABI 9; the kernel has 7"
level=INFO msg="the kernel lacks a protection" protection=landlock open=UDP needs="Landlock ABI 10; the kernel has 7" closed_by=seccomp
level=INFO msg=confined new_privileges=false capabilities=none core_dumps=false landlock_abi=7 seccomp=true read_dirs=[/etc/agent] socket_dirs=[] open=1
`
	if out.String() != want {
		t.Errorf("logged\n%swant\n%s", out.String(), want)
	}
}

func TestRootIsRefused(t *testing.T) {
	for _, test := range []struct {
		real, effective, saved int
		want                   bool
	}{{0, 0, 0, true}, {0, 1000, 1000, true}, {1000, 0, 1000, true}, {1000, 1000, 0, true}, {1000, 1000, 1000, false}} {
		if got := hasRoot(test.real, test.effective, test.saved); got != test.want {
			t.Errorf("uids %d, %d, %d: root %v, want %v", test.real, test.effective, test.saved, got, test.want)
		}
	}
}
