#!/bin/sh
# Prints what the tests measure on the installed nginx: requests over reloads and restarts, the time to exit
# while a check hangs, growth over 200 reloads, latency under load. Takes a few minutes.
set -eu
cd "$(dirname "$0")/../.."

log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! PSC_LONG=1 cargo test --test nginx -- --nocapture --test-threads=1 \
    reloads_and_restarts_make_no_check a_check_that_hangs load:: memory_of >"$log" 2>&1
then
    cat "$log" >&2
    exit 1
fi
grep -o 'nginx: .*' "$log"
