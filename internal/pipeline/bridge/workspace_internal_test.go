package bridge

import "testing"

func TestAWorkspaceKeepsItsMemoryAndNothingElse(t *testing.T) {
	t.Parallel()
	var w workspace
	w.reserve(1000)
	w.packed = append(w.packed, "body"...)
	w.records = append(w.records, record{data: []byte("alias of an event")})
	used := w.records
	w.forget() // Not free: another test could have it then.
	w.reserve(1000)
	if len(w.packed) != 0 || cap(w.packed) < 1000 || cap(w.packed) >= 2000 {
		t.Errorf("%d bytes packed, room for %d, want 0 and the 1000 as before", len(w.packed), cap(w.packed))
	}
	if len(w.records) != 0 || used[0].data != nil {
		t.Error("the workspace holds on to an event")
	}
}
