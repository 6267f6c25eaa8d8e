package deployment

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"syscall"

	"github.com/data-sink/data-sink/internal/local/endpoints"
)

// errNotTrusted is returned for a data folder that another user may have written.
var errNotTrusted = errors.New("not trusted")

// readEndpoints reads the endpoints file in a data folder. It returns an error that
// is fs.ErrNotExist if there is none. Records and passwords go to the URLs in the
// file, so the folder and the file must belong to the user, nobody else may read the
// file, and the URLs must be loopback URLs. This holds for root too.
func readEndpoints(data string) (endpoints.Endpoints, error) {
	var e endpoints.Endpoints
	path := filepath.Join(data, endpoints.File)
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if errors.Is(err, syscall.ELOOP) {
		return e, fmt.Errorf("reading %s: %w: it is a symbolic link", path, errNotTrusted)
	}
	if err != nil {
		return e, err
	}
	defer func() { _ = f.Close() }()
	folder, err := os.Stat(data)
	if err != nil {
		return e, err
	}
	info, err := f.Stat()
	if err != nil {
		return e, err
	}
	switch {
	case !isOwn(folder):
		return e, fmt.Errorf("reading %s: %w: the folder belongs to another user", path, errNotTrusted)
	case !info.Mode().IsRegular() || !isOwn(info):
		return e, fmt.Errorf("reading %s: %w: it is not a file of this user", path, errNotTrusted)
	case info.Mode().Perm()&0o077 != 0:
		return e, fmt.Errorf("reading %s: %w: its mode is %#o, want 0600", path, errNotTrusted, info.Mode().Perm())
	}
	if err := json.NewDecoder(f).Decode(&e); err != nil {
		return e, fmt.Errorf("reading %s: %w", path, err)
	}
	for _, address := range []string{e.APIURL, e.OperatorURL, e.S3URL, e.AWSURL} {
		if address != "" && !isLoopback(address) {
			return e, fmt.Errorf("reading %s: %w: %q is not an http URL of this machine", path, errNotTrusted, address)
		}
	}
	return e, nil
}

func isOwn(info os.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && int64(stat.Uid) == int64(os.Geteuid())
}

// isLoopback reports whether an http URL names localhost or a loopback address. No
// resolver and no proxy is asked about such a host.
func isLoopback(address string) bool {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" {
		return false
	}
	if _, _, err := net.SplitHostPort(u.Host); err != nil {
		return false
	}
	ip, err := netip.ParseAddr(u.Hostname())
	return u.Hostname() == "localhost" || err == nil && ip.IsLoopback()
}
