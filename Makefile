# `make` builds, `make run` runs, `make test` shows that it is right. README.md says more.

CARGO ?= cargo
# Flags for parlor: make run ARGS="--http 127.0.0.1:9000"
ARGS ?=

TARGET := $(or $(CARGO_TARGET_DIR),target)
RELEASE := $(abspath $(TARGET))/release/parlor

.PHONY: build run test programs rust quiet browser screens power-loss conformance fuzz bench lint deny tools clean

build:
	$(CARGO) build --release --locked

run:
	@$(CARGO) run --release --locked -- $(ARGS)

# Both processors are kept busy: what waits for clocks and lines (rust) is tested beside what computes (browser,
# conformance). What each prints comes when it ends. How long others wait is measured at last, with nothing beside it.
test: tools
	$(MAKE) -j2 build programs
	PARLOR="$(RELEASE)" $(MAKE) -j3 --output-sync=target rust browser conformance
	$(MAKE) quiet

programs: lint
	$(CARGO) test --locked --no-run

QUIET := attacks attendance export
TESTS := $(basename $(notdir $(wildcard tests/*.rs))) $(patsubst tests/%/main.rs,%,$(wildcard tests/*/main.rs))

rust:
	$(CARGO) test --locked --lib --bins $(addprefix --test ,$(filter-out $(QUIET),$(TESTS)))
	$(CARGO) test --locked --doc

# The attacks (tests/attacks) are made on the release binary.
quiet: build
	PARLOR_RELEASE="$(RELEASE)" $(CARGO) test --locked $(addprefix --test ,$(QUIET))

# The page in Chromium: the tests of tests/browser, or one of them: make browser ONLY=teacher
browser: tools $(TARGET)/browser/installed
	test -n "$$PARLOR" || $(CARGO) build --locked
	TARGET="$(abspath $(TARGET))" node --test $(foreach file,$(or $(ONLY),*),tests/browser/$(file).test.js)

# What README shows of the page, drawn anew into .github/screens.
screens: tools $(TARGET)/browser/installed
	$(CARGO) build --locked
	TARGET="$(abspath $(TARGET))" node tests/browser/screens.js

# Two packages from npm, pinned by hash; the browser is the system's.
$(TARGET)/browser/installed: tests/browser/package.json tests/browser/package-lock.json
	mkdir -p $(@D) && cp $^ $(@D)/
	cd $(@D) && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	touch $@

# Cuts the power 300 times in each mode, instead of 25 times: minutes.
power-loss: tools
	POWER_LOSS_CUTS=$${POWER_LOSS_CUTS:-300} $(CARGO) test --locked --test power_loss

# Autobahn's cases against the connection code; what the limits exclude is listed, each with its reason.
conformance: tools
	python3 tests/conformance/run.py

# Ten minutes for each target of tests/fuzz; what it finds is added to the corpora there. `make test` takes a minute.
fuzz:
	FUZZ_KEEP=1 FUZZ_SECONDS=$${FUZZ_SECONDS:-600} CARGO_PROFILE_DEV_OPT_LEVEL=2 \
	  $(CARGO) test --locked --test fuzz -- --nocapture

# What it costs, beside what the same work costs at the least; make bench WORK=storm for one of the works.
bench:
	@$(CARGO) bench --locked --bench bench -- $(WORK)

lint:
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- -D warnings

# Licenses, sources and doubles of what parlor is built of: .deny.toml.
deny:
	@command -v cargo-deny >/dev/null || { echo "make deny needs cargo-deny: cargo install cargo-deny --locked (some minutes)" >&2; exit 1; }
	$(CARGO) deny --locked --config .deny.toml check bans licenses sources

# What the tests run besides Rust. One tries README's examples as a reader would, and fetches the Python package that
# those need, websocket-client, into target/. One fills a disk, and some let calls fail or record them (strace), or the clock
# jump (faketime). One starts parlor on a terminal, in a network of its own (script, ip). One puts README's proxies before parlor, and looks at its unit.
# Those in tests/browser drive Chromium from Node. What is missing is installed where apt-get and root are at hand.
tools:
	@for tool in curl jq python3 mount strace faketime nginx caddy openssl chromium npm; do \
	  command -v $$tool >/dev/null || missing="$$missing $$tool"; \
	done; \
	command -v prlimit >/dev/null && command -v unshare >/dev/null || missing="$$missing util-linux"; \
	command -v ip >/dev/null || missing="$$missing iproute2"; \
	command -v script >/dev/null || missing="$$missing bsdutils"; \
	command -v systemd-analyze >/dev/null || missing="$$missing systemd"; \
	python3 -c 'import ensurepip, venv' 2>/dev/null || missing="$$missing python3-venv"; \
	test -z "$$missing" && exit; \
	test "$$(id -u)" = 0 || root="sudo -n"; \
	echo "make test needs$$missing" >&2; \
	command -v apt-get >/dev/null && $$root true 2>/dev/null && $$root apt-get update && \
	  $$root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends$$missing || \
	  { echo "on Debian: apt-get install$$missing" >&2; exit 1; }
	@node -e 'process.exit(parseInt(process.versions.node) < 18 ? 1 : 0)' || { echo "make test needs Node 18 or newer, and node is $$(node --version)" >&2; exit 1; }

clean:
	$(CARGO) clean
