//go:build e2e

package e2e_test

import (
	"encoding/json"
	"encoding/xml"
	"net/http"
	"net/url"
	"testing"
)

// policy is an IAM policy document.
type policy struct {
	Version   string
	Statement []statement
}

type statement struct {
	Effect           string
	Action, Resource words
	Condition        json.RawMessage `json:",omitempty"`
}

// words is a JSON string or a list of strings.
type words []string

func (w *words) UnmarshalJSON(b []byte) error {
	if b[0] == '"' {
		*w = make(words, 1)
		return json.Unmarshal(b, &(*w)[0])
	}
	return json.Unmarshal(b, (*[]string)(w))
}

// rolePolicy returns the only policy of a role, and its name.
func (c *cloud) rolePolicy(tb testing.TB, role string) (name string, p policy) {
	tb.Helper()
	var list struct {
		Names []string `xml:"ListRolePoliciesResult>PolicyNames>member"`
	}
	c.iam(tb, url.Values{"Action": {"ListRolePolicies"}, "RoleName": {role}}, &list)
	if len(list.Names) != 1 {
		tb.Fatalf("role %s has the policies %q, want one", role, list.Names)
	}
	var got struct {
		Document string `xml:"GetRolePolicyResult>PolicyDocument"`
	}
	c.iam(tb, url.Values{"Action": {"GetRolePolicy"}, "RoleName": {role}, "PolicyName": {list.Names[0]}}, &got)
	document, err := url.PathUnescape(got.Document)
	if err == nil {
		err = json.Unmarshal([]byte(document), &p)
	}
	if err != nil {
		tb.Fatalf("the policy of role %s: %v\n%s", role, err, got.Document)
	}
	return list.Names[0], p
}

// putRolePolicy replaces a policy of a role.
func (c *cloud) putRolePolicy(tb testing.TB, role, name string, p policy) {
	tb.Helper()
	document, err := json.Marshal(p)
	if err != nil {
		tb.Fatal(err)
	}
	c.iam(tb, url.Values{"Action": {"PutRolePolicy"}, "RoleName": {role}, "PolicyName": {name}, "PolicyDocument": {string(document)}}, nil)
}

// iam calls IAM, for which the module has no SDK client.
func (c *cloud) iam(tb testing.TB, values url.Values, answer any) {
	tb.Helper()
	values.Set("Version", "2010-05-08")
	header := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
	content := c.call(tb, "iam", header, []byte(values.Encode()))
	if answer == nil {
		return
	}
	if err := xml.Unmarshal(content, answer); err != nil {
		tb.Fatalf("%s: %v", values.Get("Action"), err)
	}
}
