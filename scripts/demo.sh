#!/bin/sh
# The library and a reference server with fresh keys, on loopback: examples-c/minimal.c gets every verdict,
# and what it logs is shown. Ends with an error when a verdict is not the expected one.
set -eu
cd "$(dirname "$0")/.."

target=${CARGO_TARGET_DIR:-target}
work=$(mktemp -d)
server=
stop() {
    if [ -n "$server" ]; then
        kill "$server" 2>/dev/null || true
        wait "$server" 2>/dev/null || true
    fi
    rm -rf "$work"
}
trap stop EXIT
trap 'exit 130' INT TERM HUP

echo "Building the library, the reference server and examples-c/minimal.c ..."
# The first is `make build`; another command would make cargo build the library anew.
{
    cargo rustc --release --lib -p psc -- --print native-static-libs
    cargo build --release -p psc-refserver
} 2>"$work/build.log" || { cat "$work/build.log" >&2; exit 1; }
gcc -std=c11 -Wall -Wextra -I include examples-c/minimal.c -o "$work/minimal" \
    -L "$target/release" -lpsc "-Wl,-rpath,$(cd "$target/release" && pwd)"

"$target/release/psc-refserver" keygen "$work/keys"
mkfifo "$work/ready"
"$target/release/psc-refserver" serve "$work/keys" >"$work/ready" 2>"$work/server.log" &
server=$!
read -r _ _ url <"$work/ready"
echo "A check server with fresh keys listens at $url."

failed=0
# scenario TITLE FAULT EXPECTED_CODE
scenario() {
    printf '\n%s\n' "--- $1"
    printf '%s\n' "$2" >"$work/keys/fault"
    verdict=$("$work/minimal" "{\"passenger_version\": \"6.0.10\", \"server_identifier\": \"nginx\",
        \"web_server_version\": \"1.22.1\", \"resources_dir\": \"$work/keys\",
        \"certificate_path\": \"$work/keys/ca.pem\", \"url\": \"$url\", \"proxy_url\": \"none\"}" 2>"$work/error.log") || true
    sed 's/^/error log: /' "$work/error.log"
    echo "verdict:   $verdict"
    if [ "${verdict%% *}" != "$3" ]; then
        echo "expected:  $3"
        failed=1
    fi
}

scenario "the server says: no update" no-update 0
scenario "the server says: an update for this version" update 1
scenario "a forged answer: signed with another key" forged -12
scenario "a replayed answer: yesterday's, genuine" replay -13
scenario "the server's certificate has expired" tls-expired -9

echo
if [ "$failed" -ne 0 ]; then
    echo "A verdict is not the expected one. What the server saw:" >&2
    cat "$work/server.log" >&2
    exit 1
fi
echo "Every verdict is the expected one."
