package settings

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// text reads any value.
func text(field func(*Settings) *string) func(*Settings, string) error {
	return func(s *Settings, v string) error { *field(s) = v; return nil }
}

// oneOf reads one of a few values.
func oneOf(field func(*Settings) *string, allowed ...string) func(*Settings, string) error {
	return func(s *Settings, v string) error {
		if !slices.Contains(allowed, v) {
			return fmt.Errorf("%q: want %s", v, strings.Join(allowed, " or "))
		}
		*field(s) = v
		return nil
	}
}

// matching reads a value of a form, which want describes.
func matching(field func(*Settings) *string, form, want string) func(*Settings, string) error {
	re := regexp.MustCompile(form)
	return func(s *Settings, v string) error {
		if !re.MatchString(v) {
			return fmt.Errorf("%q: want %s", v, want)
		}
		*field(s) = v
		return nil
	}
}

// among reads one of a few numbers.
func among(field func(*Settings) *int, allowed []int) func(*Settings, string) error {
	return func(s *Settings, v string) error {
		n, err := strconv.Atoi(v)
		if err != nil || !slices.Contains(allowed, n) {
			return fmt.Errorf("%q: want one of %s", v, strings.Trim(fmt.Sprint(allowed), "[]"))
		}
		*field(s) = n
		return nil
	}
}

// boolean reads true or false.
func boolean(field func(*Settings) *bool) func(*Settings, string) error {
	return func(s *Settings, v string) error {
		if v != "true" && v != "false" {
			return fmt.Errorf("%q: want true or false", v)
		}
		*field(s) = v == "true"
		return nil
	}
}

// readRedisURL keeps the value out of its errors, because it may hold a password.
func readRedisURL(s *Settings, value string) error {
	s.RedisURL = value
	u, err := url.Parse(value)
	if err != nil {
		return errors.New("not a URL")
	}
	query := u.Query()
	switch cluster := query.Get("cluster"); {
	case u.Scheme != "redis" && u.Scheme != "rediss":
		return fmt.Errorf("scheme %q, want redis or rediss", u.Scheme)
	case u.User != nil:
		return errors.New("has credentials; put them into a secret and set redisSecret to its ARN")
	case u.Hostname() == "":
		return errors.New("has no host")
	case len(query) > 1 || len(query) == 1 && cluster != "true" && cluster != "false":
		return errors.New("the only parameter after the question mark is cluster=true")
	}
	return nil
}

// between reads a whole number with bounds.
func between(field func(*Settings) *int, low, high int) func(*Settings, string) error {
	return func(s *Settings, v string) error {
		n, err := strconv.Atoi(v)
		if err != nil || n < low || n > high {
			return fmt.Errorf("%q: want a whole number, %d to %d", v, low, high)
		}
		*field(s) = n
		return nil
	}
}

// readOrigins reads origins as browsers send them: a scheme and a host, maybe a port.
func readOrigins(s *Settings, value string) error {
	var origins []string
	for origin := range strings.SplitSeq(value, ",") {
		origin = strings.TrimSpace(origin)
		u, err := url.Parse(origin)
		if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || origin != u.Scheme+"://"+u.Host || strings.Contains(origin, "*") {
			return fmt.Errorf("%q: want an exact origin as in https://app.example.com", origin)
		}
		origins = append(origins, origin)
	}
	s.CORSOrigins = strings.Join(origins, ",")
	return nil
}

// readDay reads a day that has begun, in UTC.
func readDay(s *Settings, value string) error {
	if day, err := time.Parse(time.DateOnly, value); err != nil || day.After(time.Now()) {
		return fmt.Errorf("%q: want a day as in 2026-01-31 that is not in the future", value)
	}
	s.LakeFrom = value
	return nil
}
