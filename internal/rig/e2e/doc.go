// Package e2e deploys the default stack with the real CDK CLI onto a local AWS
// emulator and tests the deployment. The emulator enforces IAM and speaks only
// HTTPS; behind its cache endpoint is a real Redis cluster with TLS. The tests send
// records through the pipeline, and remove permissions and settings to check that
// the functions fail as expected. They also run the functions under AWS's Runtime
// Interface Emulator. A second deployment has the profile small: a function URL, IPv6
// egress and a serverless cache, and tables, notifications and a verifier. Its template
// is rewritten before it is published, because the emulator refuses three of its resource
// types. A third run is that of a new user: first-hour.sh goes from git clone to a record
// in a deployment.
//
// The tests need Python and Node packages and several minutes, so they have the
// build tag e2e. `make e2e` installs what they need and runs them, as do `make test`
// and `make check`:
//
//	go test -tags e2e ./internal/rig/e2e/...
//
// A missing tool is a failure. These variables override the paths of the tools:
// E2E_CDK (the CDK CLI), E2E_MINISTACK_PYTHON, E2E_SAM_PYTHON and E2E_CLIENTS_PYTHON
// (Pythons with the packages ministack, aws-sam-cli, and boto3 and awscli).
package e2e
