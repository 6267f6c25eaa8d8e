SHELL := /bin/sh
.DEFAULT_GOAL := help

BUILD := .build
TOOLS := .tools
CDK := node_modules/.bin/cdk
AXE := internal/local/page/testdata/npm
# RACE=-race runs the tests under the race detector.
RACE ?=
# STREAMS is the list of streams, by default that of ENV, or streams.json. ENV is the
# name of a file in cdk/environments. ARGS goes to the CDK CLI; its settings win.
STREAMS ?=
# Shells have a variable of the same name, which does not count.
ifneq ($(origin ENV),command line)
override ENV :=
endif
OUT ?= cdk/cdk.out
ARGS ?=
# VERSION is the tag or the commit of the sources.
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null)

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z][a-z0-9-]*:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: go ## run the whole pipeline on this machine; ARGS="--addr …" go to `datasink dev`
	@[ -x $(BUILD)/datasink ] || echo "building the command, which takes about a minute the first time" >&2
	@go build -o $(BUILD)/datasink ./internal/cmd/datasink
	@exec $(BUILD)/datasink dev $(ARGS)

.PHONY: build
build: ## build the command and the functions into .build
	go build -o $(BUILD)/datasink ./internal/cmd/datasink
	for f in ingest drainer bridge verifier; do \
	  CGO_ENABLED=0 GOOS=linux go build -trimpath -tags lambda.norpc -ldflags '-s -w -buildid=' -o $(BUILD)/$$f/bootstrap ./functions/$$f || exit 1; \
	done

.PHONY: test
test: unit e2e ## install what the tests need, then run all of them

.PHONY: unit
unit: redis chromium $(AXE)/node_modules/axe-core ruby $(TOOLS)/schemathesis/installed $(TOOLS)/clients/installed $(TOOLS)/sql/installed $(TOOLS)/duckdb/installed ## run all tests but the end-to-end deployment
	go test $(RACE) -timeout 20m $$(go list ./... | grep -v '/cdk')
	@# Without the race detector: the JSII runtime's own Close races with itself.
	go test -timeout 20m ./cdk/...

.PHONY: e2e
e2e: redis $(TOOLS)/ministack/installed $(TOOLS)/sam/installed $(TOOLS)/clients/installed cdk/$(CDK) ## deploy the default stack onto a local AWS emulator and send records through it
	go test $(RACE) -tags e2e -count 1 -timeout 30m ./internal/rig/e2e/...

.PHONY: race
race: ## run `make unit` under the race detector
	$(MAKE) unit RACE=-race

.PHONY: fuzz
fuzz: ## fuzz every decoder; FUZZTIME=10m each
	@set -e; for pkg in $$(go list ./internal/...); do \
	  for target in $$(go test -list '^Fuzz' $$pkg | grep '^Fuzz' || true); do \
	    echo "$$pkg $$target"; go test -run '^$$' -fuzz "^$$target$$" -fuzztime $${FUZZTIME:-10m} $$pkg; \
	  done; \
	done

.PHONY: bench
bench: redis ## measure every hop beside its floor; ARGS="-only drain -samples file"
	go build -o $(BUILD)/bench ./internal/rig/bench
	$(BUILD)/bench $(ARGS)

.PHONY: capacity
capacity: ## say what a load needs and costs; ARGS="-rate 10000 -size 1024 -streams 20 -burst 10x5m"
	@go build -o $(BUILD)/capacity ./internal/operate/capacity
	@$(BUILD)/capacity $(ARGS)

.PHONY: bench-once
bench-once: redis
	go test -run '^$$' -bench . -benchtime 1x -timeout 20m ./internal/...
	go build -o $(BUILD)/bench ./internal/rig/bench
	$(BUILD)/bench -short

.PHONY: archives
archives: ## damage N archives at random, and compare what verify finds with what was done
	go test ./internal/operate/verify -run TestRandomArchives -v -timeout 0 -archives=$(or $(N),5000)

.PHONY: chaos
chaos: redis ## break everything under load and count what is lost; N=records SEED=n ARGS="-cluster" or ARGS="-scenario outage|isolation|retry|rotation"
	go build -o $(BUILD)/chaos ./internal/rig/chaos/cmd
	exec $(BUILD)/chaos $(if $(N),-n $(N)) $(if $(SEED),-seed $(SEED)) $(ARGS)

# Of gosec the last version that does not link clients of language models; its
# modules stand apart from those of the project.
GOSEC := go tool -modfile=.ci/gosec.mod gosec -quiet -fmt golint
# own are the folders of this module's packages that a package links.
own = go list -deps -f '{{if and .Module .Module.Main}}{{.Dir}}{{end}}' $(1) | sort -u

.PHONY: lint
lint: ## check formatting, vet, staticcheck, gosec and go.mod
	@out=$$(go tool gofumpt -l $$(git ls-files '*.go')); if [ -n "$$out" ]; then echo "not formatted (make fmt):"; echo "$$out"; exit 1; fi
	go vet ./...
	go vet -tags e2e ./internal/rig/e2e/...
	go vet -tags image ./internal/cmd/datasink
	go tool staticcheck ./...
	@# All rules for what runs on AWS. The command works on files that its user
	@# names, under the user's umask (G3), and its Kinesis and SQS have to use MD5.
	@functions=$$($(call own,./functions/...)); \
	echo "gosec: the functions" && $(GOSEC) $$functions && \
	echo "gosec: the command" && $(GOSEC) -exclude=G301,G302,G304,G306,G401,G501 $$($(call own,./internal/cmd/datasink) | grep -vxF "$$functions")
	go mod tidy -diff

.PHONY: fmt
fmt: ## format the code
	go tool gofumpt -w $$(git ls-files '*.go')

.PHONY: check
check: lint ## all that CI runs: lint, all tests under the race detector, benchmarks once, the synthesized stack
	$(MAKE) test RACE=-race
	$(MAKE) bench-once
	$(MAKE) scan

# context is what the targets of the CDK have in common.
context = $(if $(ENV),-c environment=$(ENV)) $(if $(STREAMS),-c streams='$(abspath $(STREAMS))') $(if $(VERSION),-c version=$(VERSION))

.PHONY: synth
synth: cdk/$(CDK) ## write the cloud assembly; ENV=name STREAMS=path OUT=dir ARGS="-c key=value"
	cd cdk && $(CDK) synth --quiet --output '$(abspath $(OUT))' $(context) $(ARGS)

SAM := $(TOOLS)/sam/bin/sam
STREAM ?= orders
SAM_ARGS = --event - --template $(BUILD)/sam/cdk.out/sam.template.json --env-vars $(BUILD)/sam/env.json --skip-pull-image

.PHONY: sam
sam: docker redis $(TOOLS)/sam/installed ## run the functions in the SAM CLI, with a Redis on this machine; needs Docker
	$(MAKE) synth OUT=$(BUILD)/sam/cdk.out ARGS="-c architecture=$$(go env GOARCH | sed s/amd64/x86_64/)"
	go build -o $(BUILD)/sam/run ./internal/rig/sam
	exec $(BUILD)/sam/run -sam $(SAM) -assembly $(BUILD)/sam/cdk.out -streams '$(or $(STREAMS),streams.json)' -dir $(BUILD)/sam

.PHONY: sam-drain
sam-drain: ## beside `make sam`: wake the drainer for STREAM
	$(SAM) local generate-event sqs receive-message --body '{\"stream\":\"$(STREAM)\"}' | $(SAM) local invoke $(SAM_ARGS) Drainer

.PHONY: sam-bridge
sam-bridge: ## beside `make sam`: hand the bridge a batch of STREAM
	$(SAM) local generate-event kinesis get-records | sed 's#"arn:aws:kinesis:[^"]*"#"arn:aws:kinesis:us-east-1:000000000000:stream/datasink.$(STREAM)"#' | $(SAM) local invoke $(SAM_ARGS) Bridge

.PHONY: scan
scan: $(TOOLS)/lint/installed synth ## check the synthesized templates with cfn-lint and checkov
	cd cdk && ../$(TOOLS)/lint/bin/cfn-lint
	$(TOOLS)/lint/bin/cfn-lint internal/rig/consumer/function.yaml
	cd cdk && ../$(TOOLS)/lint/bin/checkov --config-file .checkov.yaml

.PHONY: deploy
deploy: credentials cdk/$(CDK) ## create or update the stack; ENV=staging reads cdk/environments/staging.json
	cd cdk && $(CDK) deploy $(context) $(ARGS)

.PHONY: diff
diff: credentials cdk/$(CDK) ## show what a deploy would change
	cd cdk && $(CDK) diff $(context) $(ARGS)

.PHONY: destroy
destroy: credentials cdk/$(CDK) ## remove the stack; the archive and the streams' Kinesis streams stay
	cd cdk && $(CDK) destroy $(context) $(ARGS)

.PHONY: release
release: ## build the files of a release into .build/release; VERSION=v1.2.3
	go run ./internal/cmd/release -version '$(VERSION)' -out $(BUILD)/release

.PHONY: release-test
release-test: ## build a release twice and compare the checksums
	go run ./internal/cmd/release -version v0.0.0-test -out $(BUILD)/release-test
	cp $(BUILD)/release-test/SHA256SUMS $(BUILD)/release-test.sums
	go run ./internal/cmd/release -version v0.0.0-test -out $(BUILD)/release-test
	cmp $(BUILD)/release-test/SHA256SUMS $(BUILD)/release-test.sums

# PLATFORM is the architecture of the image: amd64 or arm64.
PLATFORM ?= $(shell go env GOARCH)

.PHONY: image
image: docker ## build the container image of the local pipeline; PLATFORM=arm64; needs a Docker engine
	rm -rf $(BUILD)/image && mkdir -p $(BUILD)/image/data
	CGO_ENABLED=0 GOOS=linux GOARCH=$(PLATFORM) go build -trimpath -ldflags '-s -w -buildid=' -o $(BUILD)/image/datasink ./internal/cmd/datasink
	cp streams.json $(BUILD)/image/
	docker build --platform linux/$(PLATFORM) -t datasink -f internal/cmd/datasink/Dockerfile $(BUILD)/image

.PHONY: image-test
image-test: image ## run the image: send a record, read it through its ports, restart it; needs a Docker engine
	go test -tags image -count 1 -run Image ./internal/cmd/datasink

.PHONY: clean
clean: ## remove what the targets built and installed; the data of `make run` stays
	rm -rf $(BUILD) $(TOOLS) cdk/cdk.out cdk/node_modules $(AXE)/node_modules

# What the targets above need, installed where it is missing.

.PHONY: redis
redis:
	@$(call debian,redis-server,redis-server)

.PHONY: go
go:
	@command -v go >/dev/null || { echo "go is missing: install Go 1.26 or later from https://go.dev/dl" >&2; exit 1; }

.PHONY: credentials
credentials: go
	@go build -o $(BUILD)/account ./internal/cmd/account
	@$(BUILD)/account $(ARGS)

.PHONY: docker
docker:
	@command -v docker >/dev/null || { echo "docker is missing: install a Docker engine" >&2; exit 1; }

.PHONY: chromium
chromium:
	@$(call debian,chromium,chromium)

.PHONY: ruby
ruby:
	@$(call debian,ruby,ruby)

# debian installs a package of Debian, the second word, unless there is the command.
debian = command -v $(1) >/dev/null || { \
  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(2) >/dev/null; \
  else \
    echo "$(1) is missing: install it (Debian: apt-get install $(2))" >&2; exit 1; \
  fi; }

# A virtual environment each, for their requirements do not agree. After a change
# of a version here, `make clean` has it installed.
$(TOOLS)/%/installed:
	@command -v python3 >/dev/null || { echo "python3 is missing: install Python 3.10 or later, with venv" >&2; exit 1; }
	rm -rf $(@D) && python3 -m venv $(@D)
	$(@D)/bin/pip install --quiet --disable-pip-version-check $($*_PACKAGES)
	@touch $@

ministack_PACKAGES := ministack==1.5.33 cbor2==6.2.1 # the CloudWatch API needs cbor2
clients_PACKAGES := boto3==1.44.8 awscli==1.46.3 minio==7.2.20
schemathesis_PACKAGES := schemathesis==4.32.5
sql_PACKAGES := duckdb==2.0.1 chdb==4.4.0 sqlfluff==4.5.0
duckdb_PACKAGES := duckdb==1.5.5 duckdb-extension-httpfs==1.5.5 # the newest version whose extension is on PyPI
sam_PACKAGES := aws-sam-cli==1.170.0
lint_PACKAGES := cfn-lint==1.58.0 checkov==3.3.30

$(AXE)/node_modules/axe-core: $(AXE)/package-lock.json
	@command -v npm >/dev/null || { echo "npm is missing: install Node.js 22 or later" >&2; exit 1; }
	cd $(AXE) && npm ci --no-audit --no-fund
	@touch $@

cdk/$(CDK): cdk/package-lock.json
	@command -v npm >/dev/null || { echo "npm is missing: install Node.js 22 or later" >&2; exit 1; }
	cd cdk && npm ci --no-audit --no-fund
	@touch $@
