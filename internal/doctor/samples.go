package doctor

import (
	"fmt"
	"io"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// Samples are one reading of a process's metrics, by name. None is a reading that failed.
type Samples map[string]*dto.MetricFamily

// ParseSamples reads what /metrics answers.
func ParseSamples(text io.Reader) (Samples, error) {
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(text)
	if err != nil {
		return nil, fmt.Errorf("read the metrics: %w", err)
	}
	return families, nil
}

// Each calls do with each sample of a counter, a gauge or what has no type, and its labels.
func (s Samples) Each(name string, do func(labels map[string]string, value float64)) {
	for _, m := range s[name].GetMetric() {
		labels := map[string]string{}
		for _, l := range m.GetLabel() {
			labels[l.GetName()] = l.GetValue()
		}
		do(labels, m.GetCounter().GetValue()+m.GetGauge().GetValue()+m.GetUntyped().GetValue())
	}
}

// Sum adds up the samples that have every one of the labels, given as name, value, name, value.
func (s Samples) Sum(name string, labels ...string) float64 {
	sum := 0.0
	s.Each(name, func(of map[string]string, value float64) {
		for i := 0; i+1 < len(labels); i += 2 {
			if of[labels[i]] != labels[i+1] {
				return
			}
		}
		sum += value
	})
	return sum
}

// histogram returns the sum and the number of a histogram's observations.
func (s Samples) histogram(name string) (sum float64, count uint64) {
	for _, m := range s[name].GetMetric() {
		sum += m.GetHistogram().GetSampleSum()
		count += m.GetHistogram().GetSampleCount()
	}
	return sum, count
}

// Grown is by how much a counter grew between the two readings; from 0, if the process was restarted between them.
func (p *Process) Grown(name string, labels ...string) float64 {
	before, after := p.Before.Sum(name, labels...), p.After.Sum(name, labels...)
	if after < before {
		return after
	}
	return after - before
}

// Mean is the mean of what a histogram observed between the two readings; false: nothing.
func (p *Process) Mean(name string) (float64, bool) {
	sum, count := p.After.histogram(name)
	before, n := p.Before.histogram(name)
	if n > count { // it was restarted
		before, n = 0, 0
	}
	if count == n {
		return 0, false
	}
	return (sum - before) / float64(count-n), true
}
