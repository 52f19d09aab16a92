# make test on a Debian machine that has Go and make: what else it needs (a C compiler, for the race detector;
# PostgreSQL, of which the tests start one of their own; amtool, which routes are held to; chromium, which looks at the pages) is installed.

GO       ?= go
BIN      := $(CURDIR)/bin
N        ?= 100
STEPS    ?= 300000
SEED     ?= 1
WORLDS   ?= 300
FUZZTIME ?= 10s
BYTES    ?= 1000000000
ENTRIES  ?= 1000000
OPEN     ?= 10000
STORE    ?= sqlite
SOURCE   ?= file

# What the race detector does not need, and what took two thirds of the time of the tests. With it the compiler also has each conversion of a
# pointer looked at (checkptr): left out in SQLite's packages, C turned into Go, whose memory is the kernel's and not Go's heap, where that look
# finds nothing. The detector itself only sees Go's heap and variables, so the translated C alone is not watched by it; the driver that calls
# it is, as is all else.
RACED := -gcflags='modernc.org/...=-d=checkptr=0' -gcflags='modernc.org/sqlite/lib=-d=checkptr=0 -race=false'

GOLANGCI_VERSION := v2.15.0
GOLANGCI         := $(BIN)/golangci-lint-$(GOLANGCI_VERSION)

.DEFAULT_GOAL := build
.PHONY: build image test lint kill freeze blind sim sim-bugs latency flood tail pubsub bench replay-bench fuzz-short compiler database amtool chromium

build: ## the binary, static, in bin/
	CGO_ENABLED=0 $(GO) build -trimpath -o $(BIN)/tocsin ./cmd/tocsin

image: ## the container image, with ko: into KO_DOCKER_REPO, or as a tarball: make image TO="--push=false --tarball=tocsin.tar"
	$(GO) tool -modfile=deploy/image/go.mod ko build --base-import-paths --platform=linux/amd64 $(TO) ./cmd/tocsin

test: compiler database amtool chromium ## every test, under the race detector but for the commands, the days that are written and the longest that are replayed, and the scenarios of Prow
	$(GO) vet ./...
	CGO_ENABLED=1 $(GO) test -race $(RACED) -timeout 20m $$($(GO) list ./... | grep -vE '/(cmd/.*|incident|postmortem|scenario)$$')
	$(GO) test -timeout 20m ./cmd/... ./internal/incident ./internal/postmortem ./internal/scenario
	$(GO) test -timeout 20m ./internal/app ./internal/escalation -run "^Test(Scenarios|OutageIsOneStory|CutsChangeNothing|DisorderChangesNothing|WhatAlwaysHolds)\$$"
	$(GO) run ./cmd/tocsin test deploy/prow/tocsin.yaml deploy/prow/scenarios.yaml
	cd deploy/image && $(GO) test -timeout 20m ./...

lint: $(GOLANGCI) ## what the compiler and the tests do not say
	$(GOLANGCI) run ./...

kill: compiler database ## serve killed N times at failpoints and at random, on STORE=sqlite or postgres (two replicas), from SOURCE=file, cloud_logging or pubsub; pages lost and doubled must be 0
	$(GO) run ./internal/sim/kill -n $(N) -store $(STORE) -source $(SOURCE)

freeze: compiler database ## of two replicas the one that leads is frozen, or killed, N times: the other goes on within 20 s, and who wakes changes nothing
	$(GO) run ./internal/sim/kill -freeze $(N)

latency: database ## on STORE, from an entry's arrival to the accepted page, with OPEN incidents open
	$(GO) run ./internal/sim/latency -open $(OPEN) -store $(STORE)

flood: database ## on STORE, 100,000 lines of one incident a second for a minute: pages, what was left out, memory
	$(GO) run ./internal/sim/latency -flood 100000 -for 1m -store $(STORE)

tail: ## what a full tail of Cloud Logging costs with 1,000 rules, and how fast one is read
	$(GO) run ./internal/sim/tail

pubsub: ## what a message of Pub/Sub costs with 1,000 rules, a thousandth of the entries matching one, from its bytes to the commit
	$(GO) test -run='^$$' -bench=Messages -benchtime=5s -cpu=1 ./internal/sources/cloudpubsub

blind: compiler database ## on STORE, how long after it goes away, in each way that it is run day by day, the page for a line of that moment rings: N times in all
	$(GO) run ./internal/sim/kill -blind $(N) -store $(STORE)

sim: ## worlds of trouble on a virtual clock, STEPS steps from SEED on: no invariant may be violated
	$(GO) run ./internal/sim/simulate -steps $(STEPS) -seed $(SEED)

sim-bugs: ## each known bug put into WORLDS worlds from SEED on: how many catch it, none may be missed
	$(GO) run ./internal/sim/simulate -bugs -worlds $(WORLDS) -seed $(SEED)

bench: ## how fast filters are asked, beside grep, ripgrep, mtail, sec and jq, on a corpus of BYTES
	@missing=; for tool in rg:ripgrep mtail:mtail sec:sec jq:jq; do command -v $${tool%%:*} >/dev/null || missing="$$missing $${tool##*:}"; done; \
	[ -z "$$missing" ] || { \
	  echo "installing$$missing to compare with"; \
	  as_root=; [ "$$(id -u)" = 0 ] || as_root=sudo; \
	  $$as_root apt-get update -q && $$as_root apt-get install -y -q --no-install-recommends $$missing; }
	$(GO) run ./internal/sim/bench -bytes $(BYTES)

replay-bench: ## a million entries through a thousand rules on one core, from the file to the last step: entries a second, memory
	$(GO) run ./internal/sim/replay -entries $(ENTRIES)

fuzz-short: ## every fuzz target for FUZZTIME
	@set -eu; for dir in $$(grep -rl --include='*_test.go' '^func Fuzz' . | xargs -n1 dirname | sort -u); do \
	  for target in $$(grep -ho '^func Fuzz[A-Za-z0-9_]*' $$dir/*_test.go | cut -d' ' -f2); do \
	    echo "$$dir $$target"; $(GO) test -run='^$$' -fuzz="^$$target\$$" -fuzztime=$(FUZZTIME) $$dir; \
	  done; \
	done

compiler:
	@command -v $${CC:-gcc} >/dev/null || { \
	  echo "installing gcc: the race detector needs a C compiler"; \
	  as_root=; [ "$$(id -u)" = 0 ] || as_root=sudo; \
	  $$as_root apt-get update -q && $$as_root apt-get install -y -q --no-install-recommends gcc libc6-dev; }

database:
	@command -v postgres >/dev/null || ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 || { \
	  echo "installing postgresql: the store is tested on one of its own"; \
	  as_root=; [ "$$(id -u)" = 0 ] || as_root=sudo; \
	  $$as_root apt-get update -q && $$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends postgresql; }

amtool:
	@command -v amtool >/dev/null || { \
	  echo "installing prometheus-alertmanager: the routes are held to its amtool"; \
	  as_root=; [ "$$(id -u)" = 0 ] || as_root=sudo; \
	  $$as_root apt-get update -q && $$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends prometheus-alertmanager; }

chromium:
	@command -v chromium >/dev/null || command -v google-chrome >/dev/null || { \
	  echo "installing chromium: the pages are looked at with it"; \
	  as_root=; [ "$$(id -u)" = 0 ] || as_root=sudo; \
	  $$as_root apt-get update -q && $$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends chromium; }

$(GOLANGCI):
	@mkdir -p $(BIN)
	GOBIN=$(BIN)/.install $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VERSION)
	@mv $(BIN)/.install/golangci-lint $@ && rmdir $(BIN)/.install
