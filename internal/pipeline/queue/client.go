package queue

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// go-redis would log to standard error; all its errors reach the caller anyway.
func init() { logging.Disable() }

// parseURL removes the cluster parameter, which go-redis does not know, from a URL.
// It refuses any other parameter.
func parseURL(raw string) (address string, cluster bool, err error) {
	u, err := url.Parse(raw)
	if err != nil {
		return "", false, errors.New("opening the queue: the Redis URL does not parse")
	}
	query := u.Query()
	switch value := query.Get("cluster"); value {
	case "":
	case "true", "false":
		cluster = value == "true"
	default:
		return "", false, fmt.Errorf("opening the queue: cluster=%q in the Redis URL, want true or false", value)
	}
	query.Del("cluster")
	if len(query) > 0 {
		return "", false, errors.New("opening the queue: the Redis URL has a parameter other than cluster")
	}
	u.RawQuery = ""
	return u.String(), cluster, nil
}

// readTimeout limits the wait for an answer unless a context ends earlier.
const readTimeout = 3 * time.Second

// newClient returns a client of one node or of a cluster. The client of a cluster
// repeats a command after answers that say that the command did not run; see once.
func newClient(address string, cluster bool, o Options) (redis.UniversalClient, error) {
	parsed, err := redis.ParseURL(address)
	if err != nil {
		return nil, err
	}
	options := redis.UniversalOptions{
		Addrs:                    []string{parsed.Addr},
		DB:                       parsed.DB,
		Username:                 o.Username,
		Password:                 o.Password,
		TLSConfig:                tlsConfig(parsed.TLSConfig, o.TLS),
		ReadTimeout:              max(readTimeout, o.PushTimeout),
		ContextTimeoutEnabled:    true,
		ConnMaxIdleTime:          o.IdleTimeout,
		DisableIdentity:          true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
	login := &credentials{read: o.Secret}
	if o.Secret != nil {
		options.CredentialsProviderContext = login.get
	}
	if cluster {
		options.DialerRetries = 1
		client := redis.NewClusterClient(options.Cluster())
		if o.Secret != nil {
			client.OnNewNode(func(node *redis.Client) { node.AddHook(login) })
		}
		return client, nil
	}
	options.MaxRetries = -1
	client := redis.NewClient(options.Simple())
	if o.Secret != nil {
		client.AddHook(login)
	}
	return client, nil
}

// tlsConfig leaves a plain connection plain. The client verifies the name in each
// node's own address, which in a cluster is not the host of the URL.
func tlsConfig(fromURL, given *tls.Config) *tls.Config {
	if fromURL == nil {
		return nil
	}
	if given == nil {
		return &tls.Config{MinVersion: tls.VersionTLS12}
	}
	return given.Clone()
}
