package main

import "slices"

// summary is what is shown of samples: the median, and the quartiles as the spread.
type summary struct {
	Median  float64 `json:"median"`
	Lower   float64 `json:"lower_quartile"`
	Upper   float64 `json:"upper_quartile"`
	Samples int     `json:"samples"`
}

func summarize(samples []float64) summary {
	sorted := slices.Sorted(slices.Values(samples))
	return summary{
		Median: quantile(sorted, 0.5), Lower: quantile(sorted, 0.25), Upper: quantile(sorted, 0.75), Samples: len(sorted),
	}
}

// quantile lies between the two samples that are nearest to it, in proportion.
func quantile(sorted []float64, part float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	at := part * float64(len(sorted)-1)
	below := int(at)
	if below+1 == len(sorted) {
		return sorted[below]
	}
	return sorted[below] + (at-float64(below))*(sorted[below+1]-sorted[below])
}
