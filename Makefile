# Tidemark's tasks; `make` alone lists them. Everything that is built or fetched goes to bin/ and .cache/.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

GOLANGCI_LINT_VERSION := v2.15.0
GOVULNCHECK_VERSION := v1.9.0
CYCLONEDX_VERSION := v1.10.0
# The vulnerability database as of a commit of its repository; newer ones: go list -m golang.org/x/vulndb@latest
VULNDB_VERSION := v0.0.0-20261105234957-e22db6528018

GOLANGCI_LINT := .cache/bin/golangci-lint-$(GOLANGCI_LINT_VERSION)
GOVULNCHECK := .cache/bin/govulncheck-$(GOVULNCHECK_VERSION)
CYCLONEDX := .cache/bin/cyclonedx-gomod-$(CYCLONEDX_VERSION)

# As in production: no C. The race detector, which needs it, gets it from testreport.
export CGO_ENABLED := 0

VERSION = $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)

# What `make test` runs: by default everything, and under the race detector once more what has goroutines of our own.
PKGS ?= ./...
RACE_PKGS ?= ./cmd/... ./pipeline/... ./sinks/clickhouse ./sinks/clickhouse/migrate ./sinks/kafka/... ./sinks/notify ./internal/config/... ./internal/devkafka/...
# Tests in virtual time: with the tag, the Kafka client waits on channels, which virtual time can see.
VIRTUAL_PKGS ?= ./pipeline
TEST_FLAGS ?= -timeout 40m $(if $(filter true,$(CI)),-count=1)

.PHONY: help
help: ## List the targets.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## Build bin/tidemark.
	go build -ldflags '-X main.version=$(VERSION)' -o bin/tidemark ./cmd/tidemark

# Ctrl-C reaches the demo as well as make, which waits for it to stop.
.PHONY: demo
demo: build ## Run everything on this machine; options: make demo ARGS="--duration 30s --seed 7".
	@exec bin/tidemark demo $(ARGS)

.PHONY: test
# Not a variable of Tidemark's, which would refuse one that it doesn't know.
test: export TEST_SEEDS ?= $(if $(filter true,$(CI)),2000)
test: chromium ## Run all tests, and say what was skipped and why (with CI=true nothing may be).
	@go run ./internal/buildtools/testreport $(TEST_FLAGS) $(PKGS) -- -race $(TEST_FLAGS) $(RACE_PKGS) \
		-- -tags synctests $(TEST_FLAGS) $(VIRTUAL_PKGS)

.PHONY: test-faults
test-faults: ## Break everything: SEEDS=2000 worlds in virtual time, then real processes, brokers and disks (20 minutes).
	TEST_SEEDS=$(SEEDS) go test -tags synctests -count=1 -timeout 60m -v -run 'TestEveryFaultAtOnce|TestBrokenBuildsAreCaught' ./pipeline
	go test -tags faults -count=1 -timeout 60m -v ./internal/faults

.PHONY: test-upgrade
test-upgrade: ## Take workers from the version before to this one and back, under load (5 minutes; needs the git history).
	go test -tags upgrade -count=1 -timeout 30m -v -run TestUpgrade ./internal/e2e

SEEDS ?= 2000

.PHONY: test-soak
test-soak: ## Have SDKs in three languages send for minutes while collector, broker and pipeline are killed in turn.
	go test -tags faults -count=1 -timeout 30m -v -run TestSoak ./internal/faults

# A case that fails is kept in the package's testdata/fuzz, where go test runs it from then on: commit it with the fix.
.PHONY: fuzz
fuzz: ## Fuzz every decoder and HTTP body, one after another, FUZZTIME=10m each; one of them: FUZZ=FuzzTelemetry.
	@failed=0; log=$$(mktemp); trap 'rm -f "$$log"' EXIT; \
	while IFS=: read -r file line; do \
		target=$${line#func }; target=$${target%%(*}; \
		if go test "./$$(dirname "$$file")" -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -parallel $(FUZZ_PARALLEL) >"$$log" 2>&1; \
		then result=ok; else result=FAIL; failed=1; fi; \
		printf '%-4s %-20s %s\n' $$result $$target "$$(grep -F 'execs:' "$$log" | tail -1)"; \
		if [ $$result = FAIL ]; then cat "$$log"; fi; \
	done < <(git grep --untracked -E '^func $(FUZZ)[A-Za-z0-9]*\(f \*testing\.F' -- '*_test.go'); \
	exit $$failed

FUZZ ?= Fuzz
FUZZTIME ?= 10m
FUZZ_PARALLEL ?= 1

# Superset is installed once, in minutes; the browser and its driver are Debian's chromium and chromium-driver.
.PHONY: test-bi
test-bi: .cache/bi/venv/.complete ## Have Apache Superset chart the views; keep its pictures in docs/bi: make test-bi ARGS=-update.
	go test -tags bi -count=1 -timeout 60m -v ./internal/bitest/superset $(ARGS)

.cache/bi/venv/.complete: internal/bitest/superset/requirements.txt
	python3 -m venv .cache/bi/venv
	.cache/bi/venv/bin/python -m pip install --quiet --requirement $<
	@touch $@

# The board's tests need a browser: as root it is installed, once. Without one they are skipped and say so; in continuous integration they fail.
.PHONY: chromium
chromium:
	@command -v chromium >/dev/null || command -v google-chrome >/dev/null || ! command -v apt-get >/dev/null || [ $$(id -u) != 0 ] || \
		{ timeout 600 apt-get update -qq && DEBIAN_FRONTEND=noninteractive timeout 900 apt-get install -y -qq chromium </dev/null; } || \
		echo 'Chromium could not be installed: apt-get install chromium' >&2

.PHONY: test-board
test-board: chromium ## Look at every page of the board at three widths, light and dark; keep pictures in docs/board: make test-board ARGS=-update.
	go test -count=1 -timeout 60m -v ./internal/boardtest -whole $(ARGS)

# promtool is built from its module, in minutes, once.
.PHONY: test-alerts
test-alerts: .cache/bin/promtool ## Let faults be told to Prometheus's rules, and see which alerts they raise.
	.cache/bin/promtool check config --lint=all deploy/prometheus/prometheus.yml
	.cache/bin/promtool test rules deploy/prometheus/alerts_test.yml

.cache/bin/promtool: deploy/prometheus/promtool/go.mod
	cd deploy/prometheus/promtool && go build -o $(CURDIR)/$@ github.com/prometheus/prometheus/cmd/promtool

# Prometheus is built from the same module, without its ways to find targets in clouds, in minutes, once.
.PHONY: test-prometheus
test-prometheus: .cache/bin/prometheus ## Have a real Prometheus watch real processes while faults are made, and follow the runbooks (15 minutes).
	go test -tags prometheus -count=1 -parallel 2 -timeout 60m -v ./internal/oncall

.cache/bin/prometheus: deploy/prometheus/promtool/go.mod
	cd deploy/prometheus/promtool && go build -tags remove_all_sd -o $(CURDIR)/$@ github.com/prometheus/prometheus/cmd/prometheus

# Helm is built from its module, in minutes, once; the JSON schemas of Kubernetes come as a Python package.
.PHONY: test-helm
test-helm: .cache/helm/.complete ## Render the Helm chart and hold it to Kubernetes's schemas; keep the rendering: make test-helm ARGS=-update.
	cd deploy/helm/validate && go test -count=1 ./... $(ARGS)

.cache/helm/.complete: deploy/helm/validate/requirements.txt
	python3 -m pip download --quiet --no-deps --require-hashes --dest .cache/helm --requirement $<
	@touch $@

.PHONY: bench
bench: build ## Measure everything, peers included, or some: make bench ARGS="throughput --events 500000".
	@go build -o bin/bench ./bench
	@exec bin/bench $(ARGS)

.PHONY: bench-check
bench-check: ## Compare the core's instructions an event with those committed (half a minute); commit to new ones: ARGS=--update.
	@go build -o bin/bench-check ./bench/check
	@exec bin/bench-check $(ARGS)

VIEW_ACCOUNTS ?= 10000
VIEW_BENCH ?= FirstLayer|Silence|PortfolioNow

.PHONY: bench-views
bench-views: ## Read every view of VIEW_ACCOUNTS=10000 accounts beside plain aggregates, 100 000 silent ones and the board's, into docs/view-speed.md (five minutes at rest).
	VIEW_ACCOUNTS=$(VIEW_ACCOUNTS) VIEW_ONLY='$(VIEW_ONLY)' VIEW_SPEED=$(CURDIR)/docs/view-speed.md \
		go test ./sinks/clickhouse/views -run '^$$' -bench '$(VIEW_BENCH)' -benchtime 1x -timeout 120m

BOARD_ACCOUNTS ?= 10000

.PHONY: bench-board
bench-board: chromium ## Measure the board's pages with BOARD_ACCOUNTS=10000 accounts, into docs/board.md (10 minutes).
	go test -count=1 -timeout 60m ./internal/boardtest -run '^$$' -bench Board -benchtime 1x -accounts $(BOARD_ACCOUNTS) -figures $(CURDIR)/docs/board.md

.PHONY: bench-triggers
bench-triggers: ## Measure a tick of 100 000 accounts and 50 rules when one account in a hundred has changed, and from Kafka to the webhook (5 minutes at rest).
	go test -count=1 -timeout 60m ./pipeline/triggers -run '^$$' -bench Tick -benchtime 20x -v
	go test -count=1 -timeout 20m ./internal/e2e -run TestTriggersOnEmbeddedKafka -v | grep -E '^(---|ok|FAIL)|from an escalation'

.PHONY: backtest-stories
backtest-stories: ## Play the shipped pack over simulated accounts of known stories, and write precision and recall into docs/triggers.md (1 minute).
	go test -count=1 -timeout 20m ./internal/backtest -run TestStoriesAreForetold -v -update

.PHONY: check
check: check-modules check-generated lint vuln ## Check formatting, lint, modules, generated files and known vulnerabilities.

.PHONY: check-modules
check-modules:
	go mod verify
	go mod tidy -diff

# Compares with the state before, so that it tells apart what is not committed yet from what is out of date.
.PHONY: check-generated
check-generated:
	@before=$$(git status --porcelain; git diff); go generate ./...; after=$$(git status --porcelain; git diff); \
	if [ "$$before" != "$$after" ]; then \
		git status --short; echo 'go generate changed files: commit them' >&2; exit 1; \
	fi

.PHONY: lint
lint: $(GOLANGCI_LINT) ## Run golangci-lint.
	$(GOLANGCI_LINT) run

.PHONY: vuln
vuln: $(GOVULNCHECK) ## Look for known vulnerabilities that the code can reach.
	go run ./internal/buildtools/vulncheck -govulncheck $(GOVULNCHECK) -vulndb $(VULNDB_VERSION) ./...

.PHONY: sbom
sbom: $(CYCLONEDX) ## List what the binary consists of, with hashes and licences, as CycloneDX, the same each time: bin/tidemark.cdx.json.
	@mkdir -p bin
	GOOS=linux $(CYCLONEDX) app -json -licenses -std -noserial -notimestamp -main cmd/tidemark -output bin/tidemark.cdx.json .

.PHONY: fmt
fmt: $(GOLANGCI_LINT) ## Format the code.
	$(GOLANGCI_LINT) fmt

.PHONY: clean
clean: ## Remove what was built; downloads in .cache/ stay.
	rm -rf bin .cache/bin

# Tools are built from source at their pinned versions; the version is in the file's name, so a new one is built anew.
$(GOLANGCI_LINT): PACKAGE = github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_LINT_VERSION)
$(GOVULNCHECK): PACKAGE = golang.org/x/vuln/cmd/govulncheck@$(GOVULNCHECK_VERSION)
$(CYCLONEDX): PACKAGE = github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@$(CYCLONEDX_VERSION)
$(GOLANGCI_LINT) $(GOVULNCHECK) $(CYCLONEDX):
	@echo 'Building $(PACKAGE); golangci-lint takes some minutes the first time.'
	@mkdir -p .cache/bin
	@into=$$(mktemp -d -p .cache/bin) && GOBIN="$$PWD/$$into" go install $(PACKAGE) && mv "$$into"/* $@ && rmdir "$$into"
