package session

import "testing"

func TestAWindowThatCannotBeIsUnknown(t *testing.T) {
	t.Parallel()
	if got := size(1<<16, 24, 0, 0); got.Columns != 0 || got.Rows != 0 {
		t.Errorf("got %+v, want it unknown", got)
	}
	if got := size(80, 24, 1<<16, 1); got.Columns != 80 || got.Rows != 24 || got.WidthPx != 0 || got.HeightPx != 0 {
		t.Errorf("got %+v, want 80 and 24 without pixels", got)
	}
}
