package page

// minutes is the time that the plots show, with one sample a second.
const (
	minutes = 5
	samples = minutes * 60
)

// series is the values of the last minutes, one a second. It is not safe for
// concurrent use.
type series struct {
	values [samples]float32
	next   int // where the next value goes
	filled int
}

func (s *series) add(v float64) {
	s.values[s.next] = float32(v)
	s.next = (s.next + 1) % samples
	s.filled = min(s.filled+1, samples)
}

// all returns the values, the oldest first.
func (s *series) all() []float32 {
	if s.filled < samples {
		return append([]float32(nil), s.values[:s.filled]...)
	}
	return append(append(make([]float32, 0, samples), s.values[s.next:]...), s.values[:s.next]...)
}

// sum returns the sum of the last n values.
func (s *series) sum(n int) float64 {
	all := s.all()
	total := 0.0
	for _, v := range all[max(0, len(all)-n):] {
		total += float64(v)
	}
	return total
}
