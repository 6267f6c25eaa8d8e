package stream

import (
	"fmt"
	"slices"
	"strings"
)

// The form of Firehose's FileExtension.
// https://docs.aws.amazon.com/firehose/latest/APIReference/API_ExtendedS3DestinationConfiguration.html
const (
	maxExtension   = 128
	extensionBytes = lower + digits + "!-_.*'()"
)

// compressions are the ends of names by which query engines know compressed files.
var compressions = []string{".bz2", ".deflate", gzipSuffix, ".lz4", ".lzo", ".snappy", ".xz", ".zst"}

// validateExtension returns an error if the extension is not in the form that
// Firehose accepts, or does not match the content of the objects: readers decide by
// the name how they decompress an object.
func (s Stream) validateExtension() error {
	e := s.Extension
	if e == "" {
		return nil
	}
	if len(e) < 2 || len(e) > maxExtension || e[0] != '.' || strings.Trim(e, extensionBytes) != "" {
		return fmt.Errorf("%.*q: want a full stop and then 1 to %d of a-z, 0-9 and !-_.*'()", maxShown, e, maxExtension-1)
	}
	s = s.withDefaults()
	isCompressed := func(suffix string) bool { return strings.HasSuffix(e, suffix) }
	switch {
	case s.Compression == Gzip && !isCompressed(gzipSuffix):
		return fmt.Errorf("%.*q: want an extension that ends in %s, because the objects are compressed", maxShown, e, gzipSuffix)
	case s.Compression == None && s.Format == Lines && slices.ContainsFunc(compressions, isCompressed):
		return fmt.Errorf("%.*q: is the extension of compressed files, but the objects are not compressed", maxShown, e)
	}
	return nil
}
