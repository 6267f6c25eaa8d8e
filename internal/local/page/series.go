package page

// minutes is how far back the plots go, with a sample a second.
const (
	minutes = 5
	samples = minutes * 60
)

// series is the last values of something, one a second. Whoever owns it guards it.
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
