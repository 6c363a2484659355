package show

import (
	"flag"
	"os"
	"testing"

	"github.com/pamhelper/pamhelper/cmd/pamhelper/internal/stackview/treetest"
)

var update = flag.Bool("update", false, "write the golden files")

func TestMain(m *testing.M) {
	status := m.Run()
	treetest.Clean()
	os.Exit(status)
}
