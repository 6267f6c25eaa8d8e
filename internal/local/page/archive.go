package page

import (
	"cmp"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	// shownEntries is the number of entries of a folder that are shown at first, the
	// newest ones, and moreEntries the number of further ones for each request.
	shownEntries = 20
	moreEntries  = 100
	// previewBytes is the number of bytes of an object that are shown, decompressed.
	previewBytes = 4 << 10
	// deepest is the number of nested folders that can be open.
	deepest = 8
)

// folder is a folder of the archive with its entries.
type folder struct {
	Path    string
	Entries []entry
	Problem string
	More    string // the link text that shows more entries; empty if all are shown
	Href    string // of that link
	ID      string
}

// entry is a folder or an object. At most one folder of a folder is open.
type entry struct {
	ID, Name, Href string
	Object, Chosen bool
	Size           string
	Inside         *folder
}

// object is the preview of an object.
type object struct{ Key, Size, Text, Problem string }

// browse reads the archive. The folders on the path at are open, or those of the
// newest hour of the chosen stream if at is empty.
func (p *Page) browse(q query) (tree *folder, shown *object) {
	root, err := os.OpenRoot(p.archive)
	if err != nil {
		return &folder{Problem: "The archive cannot be read."}, nil
	}
	defer func() { _ = root.Close() }() // opened for reading
	at := strings.Trim(q.at, "/")
	follow := at == ""
	if follow {
		at = q.stream
	}
	tree = read(root, "", at, follow, 0, q)
	if q.object != "" {
		shown = open(root, q.object)
	}
	return tree, shown
}

// read lists a folder and, below it, the open folder on the path at. With follow, the
// newest folder is open where at ends.
func read(root *os.Root, dir, at string, follow bool, depth int, q query) *folder {
	f := &folder{Path: dir, ID: "more-" + dir}
	entries, err := list(root, dir)
	if err != nil {
		f.Problem = "This folder cannot be read."
		return f
	}
	if shown := shownEntries + q.more; dir != "" && len(entries) > shown {
		older := len(entries) - shown
		entries = entries[:shown]
		f.More = fmt.Sprintf("Show %s of %s older", count(min(older, moreEntries)), count(older))
		more := q
		more.at, more.more = dir, q.more+moreEntries
		f.Href = more.href()
	}
	next, rest, _ := strings.Cut(at, "/")
	if next == "" && follow {
		for _, e := range entries {
			if e.IsDir() {
				next = e.Name() // the newest
				break
			}
		}
	}
	for _, e := range entries {
		key := path.Join(dir, e.Name())
		v := entry{ID: "entry-" + key, Name: e.Name(), Object: !e.IsDir()}
		if v.Object {
			v.Chosen = key == q.object
			v.Name = short(e.Name())
			v.Href = query{stream: q.stream, at: dir, object: key, more: q.more}.href() + "#preview"
			if info, err := e.Info(); err == nil {
				v.Size = byteSize(info.Size())
			}
		} else {
			v.Name += "/"
			v.Href = query{stream: q.stream, at: key}.href()
			if e.Name() == next && depth < deepest {
				v.Chosen = true
				v.Inside = read(root, key, rest, follow, depth+1, q)
				v.Href = query{stream: q.stream, at: closed(dir)}.href()
			}
		}
		f.Entries = append(f.Entries, v)
	}
	return f
}

// short returns the part of an object's name that Firehose gave it after the stream
// and the version: the path of the folder says the rest.
func short(name string) string {
	if _, rest, ok := strings.Cut(name, "-1-20"); ok {
		return "20" + rest
	}
	return name
}

// closed returns the path at that closes the folders inside of dir. For the root it
// is a path that does not exist.
func closed(dir string) string {
	if dir == "" {
		return "/."
	}
	return dir
}

// list returns the entries of a folder: streams by name, everything else with the
// newest first.
func list(root *os.Root, dir string) ([]fs.DirEntry, error) {
	f, err := root.Open(cmp.Or(dir, "."))
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // opened for reading
	entries, err := f.ReadDir(-1)
	if err != nil {
		return nil, err
	}
	if dir == "" {
		slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
		return entries, nil
	}
	type dated struct {
		fs.DirEntry
		written int64 // ms
	}
	all := make([]dated, len(entries))
	for i, e := range entries {
		all[i] = dated{e, written(e).UnixMilli()}
	}
	slices.SortFunc(all, func(a, b dated) int {
		return cmp.Or(cmp.Compare(b.written, a.written), strings.Compare(b.Name(), a.Name()))
	})
	for i := range all {
		entries[i] = all[i].DirEntry
	}
	return entries, nil
}

// written returns the time at which an object was written. Firehose writes the date
// into the name, and the name of most direct records ends in a UUIDv7, which has a
// time. Any other object, such as a direct record with an idempotency key, has the
// time of its file. The time is zero for folders, which sort by name.
func written(e fs.DirEntry) time.Time {
	if e.IsDir() {
		return time.Time{}
	}
	if _, rest, ok := strings.Cut(e.Name(), "-1-20"); ok && len(rest) >= len(firehoseTime)-2 {
		t, err := time.Parse(firehoseTime, "20"+rest[:len(firehoseTime)-2])
		if err == nil {
			return t
		}
	}
	_, id, _ := strings.Cut(e.Name(), "-")
	id = strings.ReplaceAll(id, "-", "")
	const timestamp = 12 // hex digits: milliseconds since 1970; the version follows
	if len(id) > timestamp && id[timestamp] == '7' {
		if ms, err := strconv.ParseInt(id[:timestamp], 16, 64); err == nil {
			return time.UnixMilli(ms).UTC()
		}
	}
	info, err := e.Info()
	if err != nil {
		return time.Time{} // The object was deleted after the folder was read.
	}
	return info.ModTime()
}

// firehoseTime is the date in the name of an object that Firehose wrote.
const firehoseTime = "2006-01-02-15-04-05"

// open returns the preview of an object.
func open(root *os.Root, key string) *object {
	o := &object{Key: key}
	f, err := root.Open(path.Clean(key))
	if err != nil {
		o.Problem = "There is no such object."
		return o
	}
	defer func() { _ = f.Close() }() // opened for reading
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		o.Problem = "This is not an object."
		return o
	}
	o.Size = byteSize(info.Size())
	o.Text = preview(f, previewBytes)
	return o
}

// query is what the page shows. It is in the URL.
type query struct {
	stream, at, object string
	more               int // further entries of the open folder
}

// href returns the URL of the page.
func (q query) href() string {
	v := url.Values{"stream": {q.stream}}
	if q.at != "" {
		v.Set("at", q.at)
	}
	if q.object != "" {
		v.Set("object", q.object)
	}
	if q.more > 0 {
		v.Set("more", strconv.Itoa(q.more))
	}
	return "/?" + v.Encode()
}
