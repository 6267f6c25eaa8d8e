// Package e2e has the tests that deploy: the default stack, by the real CDK
// command, onto an emulator of AWS on this machine that enforces IAM and speaks
// HTTPS alone, with a real Redis cluster over TLS behind its cache endpoint. Real
// records go through it, and permissions and settings are taken from it to see it
// fail. The three programs also run under AWS's own Runtime Interface Emulator.
//
// They need Python and Node packages and minutes, so they stand behind the build
// tag e2e, and `go test ./...` does not run them. `make e2e` installs what they
// need and runs them; `make test` and `make check` do so too:
//
//	go test -tags e2e ./internal/rig/e2e/...
//
// A tool that is missing is a failure. Its path can be given by E2E_CDK (the CDK
// command), E2E_MINISTACK_PYTHON and E2E_SAM_PYTHON (the Pythons that have the
// packages ministack and aws-sam-cli).
package e2e
