package watch

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// record is one record of the kernel's ring buffer.
type record struct {
	time uint64 // nanoseconds of CLOCK_MONOTONIC
	data []byte
}

var (
	order   = binary.NativeEndian
	errPage = errors.New("a page of the trace is not as the kernel describes it")
)

// pageData is where the records of a page begin: behind the time of the first and
// the count of bytes (events/header_page; 64 bit).
const pageData = 16

// Types of records that are not of a length of their own (events/header_event).
const (
	typePadding  = 29
	typeExtend   = 30
	typeAbsolute = 31
)

// recordsOf takes a page of the ring buffer apart. The records' data is the page's.
func recordsOf(page []byte) (records []record, err error) {
	if len(page) < pageData {
		return nil, errPage
	}
	now := order.Uint64(page)
	length := int(order.Uint64(page[8:]) & (1<<27 - 1)) // above are flags
	if length > len(page)-pageData {
		return nil, errPage
	}
	for rest := page[pageData : pageData+length]; len(rest) >= 4; {
		header := order.Uint32(rest)
		kind, delta := header&31, uint64(header>>5)
		var word uint32
		if kind == 0 || kind > 28 {
			if kind == typePadding && delta == 0 {
				break // nothing follows on this page
			}
			if len(rest) < 8 {
				return nil, errPage
			}
			word = order.Uint32(rest[4:])
		}
		size, begin := 8, 8
		switch kind {
		case typeExtend:
			delta += uint64(word) << 27
		case typeAbsolute:
			// The upper five bits are those of the clock, which does not reach them.
			now, delta = delta+uint64(word)<<27, 0
		case typePadding:
			size = 4 + int(word)
		case 0:
			size = 4 + int(word)
		default:
			size, begin = 4+4*int(kind), 4
		}
		now += delta
		if size < begin || size > len(rest) {
			return nil, fmt.Errorf("%w: a record of %d bytes in %d", errPage, size, len(rest))
		}
		if kind <= 28 {
			records = append(records, record{time: now, data: rest[begin:size]})
		}
		rest = rest[min(len(rest), (size+3)&^3):]
	}
	return records, nil
}
