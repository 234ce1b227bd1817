# What is done again and again. `make verify` is what must pass before a commit; it writes nothing
# but build products. `make fix` is the one that rewrites files.
#
#   make sim SEED=17           replay one world, with its ladder
#   make sim SEEDS=10000       try many worlds
#   make fuzz TARGET=message SECONDS=60
#   make bench FILTER=index
#   make loadtest ARGS=--help  (docs/loadtest.md)
#   make scenarios             all of loadtest/scenarios but the overload and the hour

CARGO ?= cargo
SECONDS ?= 60

# The model is built apart: with it, atomics are not those of the machine.
LOOM_TARGET := $(or $(CARGO_TARGET_DIR),target)/loom

.PHONY: verify format lint test loom doc fix sim fuzz bench loadtest scenarios

verify: format lint test loom doc

format:
	$(CARGO) fmt --all --check

lint:
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings

# The house rules (tests/house_rules.rs) and the sweep of the simulation are tests like the others.
test:
	$(CARGO) test --workspace --locked

# Every order of steps of the threads that take and give back sessions and bandwidth.
loom:
	RUSTFLAGS="--cfg loom" CARGO_TARGET_DIR=$(LOOM_TARGET) $(CARGO) test --locked -p balancer --lib model

doc:
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --locked

fix:
	$(CARGO) clippy --workspace --all-targets --locked --fix --allow-dirty --allow-staged
	$(CARGO) fmt --all

sim:
	$(CARGO) run --release --locked -p sim -- $(if $(SEED),--seed $(SEED)) $(if $(SEEDS),--seeds $(SEEDS)) $(ARGS)

# A workspace of its own (nightly, cargo-fuzz). Without TARGET: which there are.
fuzz:
ifdef TARGET
	$(CARGO) +nightly fuzz run $(TARGET) -- -max_total_time=$(SECONDS) $(ARGS)
else
	$(CARGO) +nightly fuzz list
endif

bench:
	$(CARGO) bench --locked -p bench $(if $(FILTER),-- $(FILTER))

loadtest:
	$(CARGO) run --release --locked -p loadtest -- $(ARGS)

# A node with configs/loadtest.toml, and the scenarios one after the other; pages with plots in target/scenarios.
SCENARIOS ?= trunk-2000 meetings-at-once policy-mix peer-dies
scenarios:
	$(CARGO) build --release --locked -p baton -p loadtest
	CARGO_TARGET_DIR=$(or $(CARGO_TARGET_DIR),target) loadtest/scenarios/play $(SCENARIOS)
