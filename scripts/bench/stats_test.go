package main

import "testing"

func TestTheSpreadIsTheQuartiles(t *testing.T) {
	for _, c := range []struct {
		samples []float64
		want    summary
	}{
		{nil, summary{}},
		{[]float64{7}, summary{7, 7, 7, 1}},
		{[]float64{4, 1}, summary{2.5, 1.75, 3.25, 2}},
		{[]float64{5, 1, 4, 2, 3}, summary{3, 2, 4, 5}},
		{[]float64{1, 1, 1, 1000}, summary{1, 1, 250.75, 4}},
	} {
		if got := summarize(c.samples); got != c.want {
			t.Errorf("summarize(%v): got %+v, want %+v", c.samples, got, c.want)
		}
	}
}

func TestSamplesKeepTheirOrder(t *testing.T) {
	samples := []float64{3, 1, 2}
	summarize(samples)
	if samples[0] != 3 {
		t.Errorf("got %v, want the rounds as they were: ratios are made of them", samples)
	}
}
