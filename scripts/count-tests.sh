#!/bin/sh
# Sums the "test result:" lines of a log of cargo: count-tests.sh LOG CARGO_EXIT_STATUS SKIPPED
# SKIPPED has a line for each test that returned without doing its work; it is not counted as passed.
# Fails when a test failed, when none ran, and when cargo failed for another reason.
set -eu
awk -v status="$2" -v skipped="$(wc -l <"$3")" '
    /^test result:/ {
        for (i = 2; i <= NF; i++) {
            if ($i ~ /^passed/) passed += $(i - 1)
            if ($i ~ /^failed/) failed += $(i - 1)
            if ($i ~ /^ignored/) ignored += $(i - 1)
        }
    }
    END {
        # A test program that crashed, or one that does not compile, has no result line.
        if (status != 0 && failed == 0) failed = 1
        passed -= skipped
        skipped += ignored
        printf "%d passed, %d failed", passed, failed
        if (skipped > 0) printf ", %d skipped", skipped
        printf "\n"
        exit (failed > 0 || passed == 0)
    }' "$1"
