# All that one types here. `make` alone lists it.

SWIFT ?= swift
PREFIX ?= /usr/local

# The interpreter Debian's python3-nacl belongs to.
PYTHON ?= /usr/bin/python3

# How long `make fuzz` runs each target, in seconds, and `make fuzz-long`, in minutes.
FUZZ_SECONDS ?= 10
MINUTES ?= 5

# How many worlds `make nightly` lives through that nobody did before, from which seed on; and fewer long ones.
WORLDS ?= 2000
SEED ?= $(shell echo $$((RANDOM * 32768 + RANDOM)))

# How often `make hosts-long` makes each outage.
RUNS ?= 20

# Suites with real sockets and processes, which wait for real time: not beside those that need all processors, and
# few at once, or their own nodes wait for each other.
REAL_TIME := SecureDHTTests|DHTGatewayTests|IntegrationTests

# What `dht --version` names.
export DHT_COMMIT ?= $(shell git describe --always --abbrev=12 --exclude='*' --dirty=.changed 2>/dev/null)

# What is to be carried to other machines.
DIST := .build/dist

TOOLS := $(CURDIR)/.build/tools/usr/bin

DHT := .build/release/dht
FUZZ := .build-fuzz/release/fuzz

# What has our style. An example is a package of its own, whose build is none of ours.
SWIFT_FILES := Sources Tests Fuzz Package.swift $(wildcard docs/examples/*/Sources docs/examples/*/Package.swift)

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help deps tools build test bench digests digests-accept hosts-long lint format demo mutations nightly fuzz fuzz-long fuzz-build docs dist deb packages service install clean

# A crash of a test or a fuzz target is reported by whoever runs it; Swift's own backtracer would keep its pipe
# open for minutes after.
test fuzz fuzz-long: export SWIFT_BACKTRACE := enable=no

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' Makefile

deps: ## installs what the build needs, if it is missing (Debian, Ubuntu; else says what to install)
	@missing=
	pkg-config --exists libsodium 2>/dev/null || missing+=" libsodium-dev pkg-config"
	pkg-config --exists libmd 2>/dev/null || missing+=" libmd-dev pkg-config"
	pkg-config --exists libedit 2>/dev/null || missing+=" libedit-dev pkg-config"
	pkg-config --exists sqlite3 2>/dev/null || missing+=" libsqlite3-dev pkg-config"
	$(PYTHON) -c 'import nacl' 2>/dev/null || missing+=" python3-nacl"
	[ "$$(id -u)" != 0 ] || command -v ip >/dev/null || missing+=" iproute2"
	[ "$$(id -u)" != 0 ] || command -v nft >/dev/null || missing+=" nftables"
	compgen -G '/usr/lib/*/faketime/libfaketimeMT.so.1' >/dev/null || missing+=" libfaketime"
	[ -n "$$missing" ] || exit 0
	if ! command -v apt-get >/dev/null; then
	    echo "Install libsodium, libedit, libmd and SQLite with headers, pkg-config, libfaketime, and PyNaCl for $(PYTHON); then run make again." >&2
	    exit 1
	fi
	root=; [ "$$(id -u)" = 0 ] || root=sudo
	if [ -n "$$root" ] && ! command -v sudo >/dev/null; then
	    echo "Run as root: apt-get install$$missing" >&2
	    exit 1
	fi
	echo "Installing$$missing"
	$$root apt-get update -qq
	$$root env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $$missing >/dev/null

# Prometheus is unpacked and not installed: else a service of that name would run from then on.
tools: deps ## installs what tests look through, if it is missing: Chromium and its driver, curl, Prometheus
	@missing=
	command -v chromedriver >/dev/null || missing+=" chromium-driver"
	command -v curl >/dev/null || missing+=" curl"
	python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=" python3-venv"
	if [ -n "$$missing" ] && command -v apt-get >/dev/null && { [ "$$(id -u)" = 0 ] || command -v sudo >/dev/null; }; then
	    root=; [ "$$(id -u)" = 0 ] || root=sudo
	    echo "Installing$$missing"
	    $$root apt-get update -qq
	    $$root env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $$missing >/dev/null
	fi
	if ! command -v promtool >/dev/null && ! [ -x $(TOOLS)/promtool ] && command -v apt-get >/dev/null; then
	    mkdir -p .build/tools
	    cd .build/tools
	    apt-get download -qq prometheus 2>/dev/null && dpkg-deb -x prometheus_*.deb . ||
	        echo "Prometheus cannot be had: what needs it is skipped" >&2
	fi

build: deps ## the release build of the command line, all libraries linked in: .build/release/dht
	SWIFT=$(SWIFT) Packaging/compile

test: tools ## all tests: ours, then the second implementation's, and the vectors both agree on
	$(PYTHON) Tests/Mutations/mutate.py --check
	$(SWIFT) build --build-tests
	$(SWIFT) test --skip-build --disable-xctest --skip '$(REAL_TIME)' 2>&1 | tee .build/test.log
	SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH=6 \
	    $(SWIFT) test --skip-build --disable-xctest --filter '$(REAL_TIME)' 2>&1 | tee .build/real-time.log
	$(PYTHON) -m unittest discover -s Tests/Interop 2>&1 | tee .build/interop.log
	$(PYTHON) Tests/Interop/vectors.py --check
	$(PYTHON) -m unittest discover -s Tests/Hosts 2>&1 | tee .build/hosts.log
	PATH="$$PATH:$(TOOLS)" $(PYTHON) -m unittest discover -s Tests/Seen 2>&1 | tee .build/seen.log
	@echo
	grep -h 'Test run with' .build/test.log .build/real-time.log
	grep -h '^Ran ' .build/interop.log .build/hosts.log .build/seen.log
	echo "Vectors are as docs/protocol.md makes them"

bench: build ## measures this machine and writes docs/performance.md: tables, and plots from 8 nodes to 100,000; half an hour
	@$(PYTHON) Benchmarks/performance.py

hosts-long: build ## RUNS=20 outages of each kind and of 3, 20 and 120 s on machines made of namespaces: two hours, as root
	DHT=.build/release/dht $(PYTHON) -u Tests/Hosts/long.py --runs $(RUNS)
	DHT=.build/release/dht HOSTS_AWAY=600 $(PYTHON) -u -m unittest discover -v -s Tests/Hosts

digests: build ## 300 simulated worlds are event for event what they were: what a change of form is held to
	@$(PYTHON) Tests/Digests/digests.py

digests-accept: build ## writes down what they are, after a change of what happens; the commit says why
	@$(PYTHON) Tests/Digests/digests.py --accept

lint: ## format and style, strictly; what no formatter knows is checked by TidyTests
	$(SWIFT) format lint --strict --parallel --recursive $(SWIFT_FILES)

format: ## formats all Swift in place
	$(SWIFT) format --in-place --parallel --recursive $(SWIFT_FILES)

demo: build ## nodes on this machine, over real UDP: a shell on a terminal, else a tour that checks itself
	$(DHT) demo

mutations: deps ## breaks the engine on purpose, one promise after the other: the simulator must notice each
	@$(PYTHON) -u Tests/Mutations/mutate.py

nightly: SEED := $(SEED)
nightly: build ## WORLDS=2000 worlds of fresh seeds, from SEED on, and long ones; then all mutations: hours
	@swarm() { $(DHT) simulate --scenario swarm --sealing stand-in "$$@" | grep -v ', 0 reads wrong, digest'; }
	echo "Worlds from seed $(SEED) on"
	failures=0
	swarm --hours 0.25 --seeds $(WORLDS) --seed $(SEED) || failures=1
	swarm --hours 4 --seeds $$(( $(WORLDS) / 20 + 1 )) --seed $(SEED) || failures=1
	$(PYTHON) -u Tests/Mutations/mutate.py || failures=1
	exit $$failures

fuzz: fuzz-build ## every fuzz target for FUZZ_SECONDS=10
	@for target in $$($(FUZZ) list); do
	    log=.build-fuzz/$$target.log
	    if ! $(FUZZ) $$target -max_total_time=$(FUZZ_SECONDS) -timeout=5 -max_len=4096 -verbosity=0 \
	        -print_final_stats=1 -artifact_prefix=.build-fuzz/$$target- .build-fuzz/corpus/$$target &>$$log; then
	        cat $$log
	        echo "fuzz: $$target failed; replay: SWIFT_BACKTRACE=enable=no $(FUZZ) $$target FILE" >&2
	        exit 1
	    fi
	    awk -v target=$$target '/number_of_executed_units/ { print "fuzz: " target ": " $$2 " inputs, none bad" }' $$log
	done

fuzz-long: ## every fuzz target for MINUTES=5
	@$(MAKE) fuzz FUZZ_SECONDS=$$(( $(MINUTES) * 60 ))

# The targets are in the package only under DHT_FUZZ; libFuzzer's runtime needs LLVM's linker.
fuzz-build: deps
	DHT_FUZZ=1 $(SWIFT) build -c release --product fuzz --scratch-path .build-fuzz \
	    -Xswiftc -sanitize=fuzzer -Xswiftc -use-ld=lld
	@$(PYTHON) Fuzz/seeds.py .build-fuzz/corpus

docs: deps ## the documentation of the library, without a warning: .build-docs/SecureDHT
	DHT_DOCS=1 $(SWIFT) package --scratch-path .build-docs --allow-writing-to-directory .build-docs \
	    generate-documentation --target SecureDHT --warnings-as-errors --output-path .build-docs/SecureDHT

dist: build ## an archive for any Linux with glibc, all else linked in: .build/dist
	Packaging/program $(DHT) $(DIST)
	Packaging/archive $(DIST)/dht $(DIST)

deb: build ## the same as a package of Debian and Ubuntu, with its service: .build/dist
	Packaging/program $(DHT) $(DIST)
	Packaging/deb/build $(DIST)/dht $(DIST)

packages: dist deb ## the package installed, upgraded, removed and purged on a Debian without Swift, in a folder: as root
	missing=
	command -v debootstrap >/dev/null || missing+=" debootstrap"
	$(PYTHON) -c 'import yaml' 2>/dev/null || missing+=" python3-yaml"
	if [ -n "$$missing" ] && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
	    echo "Installing$$missing"
	    apt-get update -qq
	    env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $$missing >/dev/null
	fi
	$(PYTHON) -m unittest discover -s Tests/Packages

service: deb ## the package's unit under a real systemd, booted in a container: as root, with debootstrap and systemd-container
	cd Tests/Packages && $(PYTHON) -m unittest service

install: build ## dht into PREFIX=/usr/local
	install -D -m 755 $(DHT) $(DESTDIR)$(PREFIX)/bin/dht

clean: ## removes all that was built
	rm -rf .build .build-*

# Recipes of several lines are one script.
.ONESHELL:
