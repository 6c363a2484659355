package watch

import (
	"encoding/binary"
	"errors"
	"strings"
	"testing"
)

// page makes a page of the ring buffer that begins at time 1000.
func page(words ...uint32) []byte {
	page := binary.NativeEndian.AppendUint64(nil, 1000)
	page = binary.NativeEndian.AppendUint64(page, uint64(4*len(words))|1<<31)
	for _, word := range words {
		page = binary.NativeEndian.AppendUint32(page, word)
	}
	return append(page, make([]byte, 64)...)
}

func header(kind, delta uint32) uint32 { return kind | delta<<5 }

func TestRecordsHaveTheirTimeAndData(t *testing.T) {
	for name, test := range map[string]struct {
		words []uint32
		times []uint64
		bytes []int
	}{
		"none":             {nil, nil, nil},
		"short ones":       {[]uint32{header(1, 5), 7, header(2, 6), 8, 9}, []uint64{1005, 1011}, []int{4, 8}},
		"a long one":       {[]uint32{header(0, 1), 12, 7, 8, header(1, 1), 9}, []uint64{1001, 1002}, []int{8, 4}},
		"much later":       {[]uint32{header(typeExtend, 3), 1, header(1, 0), 7}, []uint64{1003 + 1<<27}, []int{4}},
		"an absolute time": {[]uint32{header(typeAbsolute, 3), 2, header(1, 1), 7}, []uint64{2<<27 + 4}, []int{4}},
		"a discarded one":  {[]uint32{header(typePadding, 1), 8, 0, header(1, 1), 7}, []uint64{1002}, []int{4}},
		"the page's end":   {[]uint32{header(1, 1), 7, header(typePadding, 0), 0, 0}, []uint64{1001}, []int{4}},
	} {
		records, err := recordsOf(page(test.words...))
		if err != nil || len(records) != len(test.times) {
			t.Errorf("%s: got %d records, %v; want %d", name, len(records), err, len(test.times))
			continue
		}
		for n, r := range records {
			if r.time != test.times[n] || len(r.data) != test.bytes[n] {
				t.Errorf("%s: record %d: got time %d, %d bytes; want %d, %d", name, n, r.time, len(r.data), test.times[n], test.bytes[n])
			}
		}
	}
}

func TestAPageThatIsNoneIsAnError(t *testing.T) {
	for name, page := range map[string][]byte{
		"nothing":              nil,
		"a record too long":    page(header(20, 1), 7),
		"a length too long":    page(header(0, 1), 4000, 7),
		"a length too short":   page(header(0, 1), 0),
		"more than the page":   append(binary.NativeEndian.AppendUint64(make([]byte, 8), 4096), 0),
		"no room for a length": page(header(0, 1)),
	} {
		if records, err := recordsOf(page); !errors.Is(err, errPage) {
			t.Errorf("%s: got %d records, %v; want %v", name, len(records), err, errPage)
		}
	}
}

func FuzzRecords(f *testing.F) {
	f.Add(page(header(1, 5), 7, header(0, 1), 12, 7, 8))
	f.Fuzz(func(t *testing.T, page []byte) {
		records, err := recordsOf(page)
		if err == nil && len(records) > len(page) {
			t.Errorf("got %d records in %d bytes", len(records), len(page))
		}
	})
}

func TestTextOfARecordStaysInIt(t *testing.T) {
	fields := format{fields: map[string]field{"user": {offset: 0, size: 4, elsewhere: true}}}
	for place, want := range map[uint32]string{
		4 | 6<<16: "alice", 4 | 3<<16: "ali", 4 | 0<<16: "", 4 | 200<<16: "", 60000 | 6<<16: "",
	} {
		data := append(binary.NativeEndian.AppendUint32(nil, place), "alice\x00"...)
		if got := fields.text(record{data: data}, "user"); got != want {
			t.Errorf("%#x: got %q, want %q", place, got, want)
		}
	}
	if got := fields.text(record{}, "user"); got != "" {
		t.Errorf("an empty record: got %q, want nothing", got)
	}
}

func TestLockdownIsNamed(t *testing.T) {
	if got := explained(errors.ErrUnsupported); !errors.Is(got, errors.ErrUnsupported) {
		t.Errorf("got %v, want the error itself", got)
	}
	for text, want := range map[string]string{
		"none integrity [confidentiality]\n": "locked down", "none [integrity] confidentiality\n": "CAP_SYS_ADMIN", "": "CAP_SYS_ADMIN",
	} {
		if got := refused(errors.ErrUnsupported, text).Error(); !strings.Contains(got, want) {
			t.Errorf("lockdown %q: got %q, want %q in it", text, got, want)
		}
	}
}
