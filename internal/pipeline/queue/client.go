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
	u.RawQuery = query.Encode()
	return u.String(), cluster, nil
}

// readTimeout limits the wait for an answer unless a context ends earlier.
const readTimeout = 3 * time.Second

func newClient(address string, cluster bool, o Options) (redis.UniversalClient, error) {
	var login *credentials
	if o.Secret != nil {
		login = &credentials{read: o.Secret}
	}
	if cluster {
		c, err := redis.ParseClusterURL(address)
		if err != nil {
			return nil, err
		}
		c.Username, c.Password = o.Username, o.Password
		if login != nil {
			c.CredentialsProviderContext = login.get
		}
		c.TLSConfig = tlsConfig(c.TLSConfig, o.TLS)
		c.ReadTimeout = max(readTimeout, o.PushTimeout)
		c.ContextTimeoutEnabled = true
		c.ConnMaxIdleTime = o.IdleTimeout
		c.DisableIdentity = true
		c.DialerRetries = 1
		c.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
		client := redis.NewClusterClient(c)
		if login != nil {
			client.OnNewNode(func(node *redis.Client) { node.AddHook(login) })
		}
		return client, nil
	}
	c, err := redis.ParseURL(address)
	if err != nil {
		return nil, err
	}
	c.Username, c.Password = o.Username, o.Password
	if login != nil {
		c.CredentialsProviderContext = login.get
	}
	c.TLSConfig = tlsConfig(c.TLSConfig, o.TLS)
	c.ReadTimeout = max(readTimeout, o.PushTimeout)
	c.ContextTimeoutEnabled = true
	c.ConnMaxIdleTime = o.IdleTimeout
	c.DisableIdentity = true
	c.MaxRetries = -1
	c.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	client := redis.NewClient(c)
	if login != nil {
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
