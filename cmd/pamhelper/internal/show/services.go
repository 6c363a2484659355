package show

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/pamhelper/pamhelper/cmd/pamhelper/internal/stackview"
	"github.com/pamhelper/pamhelper/pkg/pamstack"
)

// services lists what there is to show.
func (o options) services(out io.Writer) error {
	services, err := o.source.Services()
	if err != nil {
		return err
	}
	var text strings.Builder
	if o.json {
		err = servicesJSON(&text, services)
	} else {
		servicesText(&text, services)
	}
	if err != nil {
		return err
	}
	_, err = io.WriteString(out, text.String())
	return err
}

func servicesText(out io.Writer, services []pamstack.Service) {
	width := 0
	for _, s := range services {
		width = max(width, stackview.Width(stackview.OneLine(s.Name)))
	}
	for _, s := range services {
		line := stackview.Pad(stackview.OneLine(s.Name), width) + "  " + stackview.OneLine(s.File)
		if len(s.Hides) > 0 {
			line += "  instead of " + stackview.OneLine(strings.Join(s.Hides, ", "))
		}
		if s.Unreachable {
			line += "  never used: libpam lowers the names of services"
		}
		fmt.Fprintln(out, line)
	}
}

func servicesJSON(out io.Writer, services []pamstack.Service) error {
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	for _, s := range services {
		err := encoder.Encode(struct {
			Service     string   `json:"service"`
			File        string   `json:"file"`
			Hides       []string `json:"hides,omitempty"`
			Unreachable bool     `json:"unreachable,omitempty"`
		}{s.Name, s.File, s.Hides, s.Unreachable})
		if err != nil {
			return err
		}
	}
	return nil
}
