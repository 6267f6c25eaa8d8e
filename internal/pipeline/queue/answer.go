package queue

import "fmt"

// number reads an integer of a script's answer.
func number(v any) (int64, error) {
	n, ok := v.(int64)
	if !ok {
		return 0, fmt.Errorf("answer of type %T, want an integer", v)
	}
	return n, nil
}

// list reads an array of n elements, or of any length when n is negative.
func list(v any, n int) ([]any, error) {
	elements, ok := v.([]any)
	if !ok {
		return nil, fmt.Errorf("answer of type %T, want an array", v)
	}
	if n >= 0 && len(elements) != n {
		return nil, fmt.Errorf("answer of %d elements, want %d", len(elements), n)
	}
	return elements, nil
}

// numbers reads an array of n integers, or of any length when n is negative.
func numbers(v any, n int) ([]int64, error) {
	elements, err := list(v, n)
	if err != nil {
		return nil, err
	}
	all := make([]int64, len(elements))
	for i, e := range elements {
		if all[i], err = number(e); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// texts reads an array of strings.
func texts(v any) ([]string, error) {
	elements, err := list(v, -1)
	if err != nil {
		return nil, err
	}
	all := make([]string, len(elements))
	for i, e := range elements {
		text, ok := e.(string)
		if !ok {
			return nil, fmt.Errorf("element of type %T, want a string", e)
		}
		all[i] = text
	}
	return all, nil
}
