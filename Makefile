# `make` builds, `make run` runs, `make test` shows that it is right. README.md says more.

CARGO ?= cargo
# Flags for parlor: make run ARGS="--http 127.0.0.1:9000"
ARGS ?=

.PHONY: build run test power-loss bench lint tools clean

build:
	$(CARGO) build --release --locked

run:
	@$(CARGO) run --release --locked -- $(ARGS)

test: tools lint
	$(CARGO) test --locked

# Cuts the power 300 times in each mode, instead of 25 times: minutes.
power-loss: tools
	POWER_LOSS_CUTS=$${POWER_LOSS_CUTS:-300} $(CARGO) test --locked --test power_loss

# What it costs, beside what the same work costs at the least; make bench WORK=storm for one of the works.
bench:
	@$(CARGO) bench --locked --bench bench -- $(WORK)

lint:
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- -D warnings

# What the tests run besides Rust. One tries README's examples as a reader would, and fetches the Python package that
# those need, websocket-client, into target/. Some fill a disk, let calls fail or record them (strace), or let the clock
# jump (faketime).
tools:
	@for tool in curl jq python3 mount strace faketime; do \
	  command -v $$tool >/dev/null || missing="$$missing $$tool"; \
	done; \
	command -v prlimit >/dev/null && command -v unshare >/dev/null || missing="$$missing util-linux"; \
	python3 -c 'import ensurepip, venv' 2>/dev/null || missing="$$missing python3-venv"; \
	test -z "$$missing" || { echo "make test needs$$missing; on Debian: apt-get install$$missing" >&2; exit 1; }

clean:
	$(CARGO) clean
