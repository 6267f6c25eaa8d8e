package queue

import "fmt"

// answer is the answer of a script, or an element of one: a value, or the error of
// the call.
type answer struct {
	value any
	err   error
}

// number reads an integer.
func (a answer) number() (int64, error) {
	n, ok := a.value.(int64)
	if a.err == nil && !ok {
		return 0, fmt.Errorf("answer of type %T, want an integer", a.value)
	}
	return n, a.err
}

// text reads a string.
func (a answer) text() (string, error) {
	text, ok := a.value.(string)
	if a.err == nil && !ok {
		return "", fmt.Errorf("answer of type %T, want a string", a.value)
	}
	return text, a.err
}

// list reads an array.
func (a answer) list() ([]answer, error) {
	elements, ok := a.value.([]any)
	if a.err == nil && !ok {
		return nil, fmt.Errorf("answer of type %T, want an array", a.value)
	}
	all := make([]answer, len(elements))
	for i, e := range elements {
		all[i].value = e
	}
	return all, a.err
}

// numbers reads an array of integers.
func (a answer) numbers() ([]int64, error) { return each(a, answer.number) }

// texts reads an array of strings.
func (a answer) texts() ([]string, error) { return each(a, answer.text) }

func each[T any](a answer, read func(answer) (T, error)) ([]T, error) {
	elements, err := a.list()
	if err != nil {
		return nil, err
	}
	all := make([]T, len(elements))
	for i, e := range elements {
		if all[i], err = read(e); err != nil {
			return nil, err
		}
	}
	return all, nil
}
