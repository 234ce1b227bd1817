#!/bin/sh
# The policy service beside a bare hyper server, both asked by wrk in one run and in turn, so that whatever else the
# machine does meets both. usage: bench/http/compare.sh [ROUNDS] [SECONDS]
set -e
rounds=${1:-5} seconds=${2:-4}
cd "$(dirname "$0")/../.."
target=${CARGO_TARGET_DIR:-target}
cargo build --release --locked --bin baton --example hello
log=$(mktemp)
"$target/release/baton" run --config bench/http/policy.toml >"$log" 2>&1 &
baton=$!
"$target/release/examples/hello" 127.0.0.1:8092 >/dev/null 2>&1 &
hello=$!
trap 'kill $baton $hello; rm -f "$log"' EXIT
until wrk -t1 -c1 -d1s -s bench/http/ask.lua http://127.0.0.1:8091/policy | grep -q '^RESULT.* 0$'; do sleep 1; done

# ask PORT CONNECTIONS: requests a second, p50 and p99 in microseconds, failures
ask() { wrk -t1 -c"$2" -d"${seconds}s" -s bench/http/ask.lua "http://127.0.0.1:$1/policy" | sed -n 's/^RESULT //p'; }
median() { sort -n | awk '{ all[NR] = $1 } END { print all[int((NR + 1) / 2)] }'; }

# compare NAME: of each round the requests a second of both, and their ratio
compare() {
    ratios= rates=
    for _ in $(seq "$rounds"); do
        bare=$(ask 8092 32) ours=$(ask 8091 32)
        echo "$1: hello $bare, baton $ours"
        ratio=$(echo "$bare $ours" | awk '{ printf "%.3f", $5 / $1 }')
        ratios="$ratios$ratio
" rates="$rates$(echo "$ours" | awk '{ print $1 }')
"
    done
    echo "$1: ratio median $(printf %s "$ratios" | median), least $(printf %s "$ratios" | sort -n | head -1)"
    rate=$(printf %s "$rates" | median)
}

compare "the same call, kept alive"
half=$(echo "$rate" | awk '{ printf "%.0f", 2 * 32 * 1000 / $1 }')
[ "$half" -ge 1 ] || half=1
BATON_DELAY=$half; export BATON_DELAY
for _ in $(seq "$rounds"); do echo "at about half the rate (rate, p50, p99 in us, failures): $(ask 8091 32)"; done
unset BATON_DELAY
BATON_NEW=yes; export BATON_NEW
compare "new calls, kept alive"
unset BATON_NEW
BATON_CLOSE=yes; export BATON_CLOSE
compare "one connection a request"
