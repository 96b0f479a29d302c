#!/bin/sh
# Every test. Ends with the line "N passed, N failed", summed over all test programs.
set -u
cd "$(dirname "$0")/.." || exit 1

log=$(mktemp)
trap 'rm -f "$log" "$log.status" "$log.skipped"' EXIT

lint=0
scripts/lint.sh || lint=1

# Many tests wait for a server or a deadline: more of them than cores may run.
export RUST_TEST_THREADS="${RUST_TEST_THREADS:-4}"
# Tests that this system does not allow say so there, see testkit.
export PSC_SKIPPED="$log.skipped"
: >"$PSC_SKIPPED"
{
    cargo test --workspace --no-fail-fast 2>&1
    echo $? >"$log.status"
} | tee "$log"
tests=$(cat "$log.status")
# Counted as one test that failed.
[ "$lint" -eq 0 ] || echo "test result: FAILED. 0 passed; 1 failed; (lint, see above)" >>"$log"

# Where a long log ends, the names are at hand.
sed -n 's/^test \(.*\) \.\.\. FAILED$/failed: \1/p' "$log"
sed 's/^/skipped: /' "$PSC_SKIPPED"
scripts/count-tests.sh "$log" "$tests" "$PSC_SKIPPED"
