package page

import (
	"errors"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path"
	"slices"
	"strings"
)

const (
	// readEntries is how many entries of a folder are read, shownEntries how many
	// of those are shown, the newest.
	readEntries  = 2000
	shownEntries = 20
	// previewBytes is how much of an object is shown, unpacked.
	previewBytes = 4 << 10
	// deepest is how many folders are opened below each other.
	deepest = 8
)

// folder is a folder of the archive with what is in it.
type folder struct {
	Path    string
	Entries []entry
	Hidden  string // how many entries are not shown
}

// entry is a folder or an object. Of the folders only one is open.
type entry struct {
	ID, Name, Href string
	Object, Chosen bool
	Size           string
	Inside         *folder
}

// object is the preview of one.
type object struct{ Key, Size, Text, Problem string }

// browse reads the archive with the folders of at open, or with those of the
// newest hour of the chosen stream when at is empty.
func (p *Page) browse(q query) (tree *folder, shown *object) {
	root, err := os.OpenRoot(p.archive)
	if err != nil {
		return &folder{Hidden: "The archive cannot be read."}, nil
	}
	defer func() { _ = root.Close() }() // It was only read.
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

// read lists one folder and, below it, the one on the way to at. When it follows
// it opens the last folder where at ends.
func read(root *os.Root, dir, at string, follow bool, depth int, q query) *folder {
	f := &folder{Path: dir}
	entries, hidden, err := list(root, dir)
	if err != nil {
		f.Hidden = "This folder cannot be read."
		return f
	}
	f.Hidden = hidden
	next, rest, _ := strings.Cut(at, "/")
	if next == "" && follow {
		for _, e := range entries {
			if e.IsDir() {
				next = e.Name() // The first is the newest.
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
			v.Href = q.href(q.stream, dir, key)
			if info, err := e.Info(); err == nil {
				v.Size = byteSize(info.Size())
			}
		} else {
			v.Name += "/"
			v.Href = q.href(q.stream, key, "")
			if e.Name() == next && depth < deepest {
				v.Chosen = true
				v.Inside = read(root, key, rest, follow, depth+1, q)
				v.Href = q.href(q.stream, closed(dir), "")
			}
		}
		f.Entries = append(f.Entries, v)
	}
	return f
}

// short leaves the stream and the version out of a name that Firehose gave: they
// stand in the folders above it.
func short(name string) string {
	if _, rest, ok := strings.Cut(name, "-1-20"); ok {
		return "20" + rest
	}
	return name
}

// closed is the at that shows a folder with nothing below it open; that of the
// root names nothing that is there.
func closed(dir string) string {
	if dir == "" {
		return "/."
	}
	return dir
}

// list reads the names of a folder, the newest of a bounded number first.
func list(root *os.Root, dir string) (entries []fs.DirEntry, hidden string, err error) {
	if dir == "" {
		dir = "."
	}
	f, err := root.Open(dir)
	if err != nil {
		return nil, "", err
	}
	defer func() { _ = f.Close() }() // It was only read.
	entries, err = f.ReadDir(readEntries)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, "", err
	}
	// The names hold the time, so that the last is the newest.
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(b.Name(), a.Name()) })
	if dir == "." {
		slices.Reverse(entries)
		return entries, "", nil
	}
	switch n := len(entries); {
	case n == readEntries:
		hidden = "and more; only " + count(n) + " names of this folder were read"
	case n > shownEntries:
		hidden = "and " + count(n-shownEntries) + " older"
	}
	return entries[:min(len(entries), shownEntries)], hidden, nil
}

// open reads the beginning of an object.
func open(root *os.Root, key string) *object {
	o := &object{Key: key}
	f, err := root.Open(path.Clean(key))
	if err != nil {
		o.Problem = "There is no such object."
		return o
	}
	defer func() { _ = f.Close() }() // It was only read.
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		o.Problem = "This is no object."
		return o
	}
	o.Size = byteSize(info.Size())
	o.Text = preview(f, previewBytes)
	return o
}

// query is what the page is asked to show; it stands in the URL.
type query struct{ stream, at, object string }

// href is the URL of the page with another stream, folder or object.
func (q query) href(stream, at, object string) string {
	v := url.Values{"stream": {stream}}
	if at != "" {
		v.Set("at", at)
	}
	if object != "" {
		v.Set("object", object)
	}
	return "/?" + v.Encode()
}
