#!/bin/sh
# mod_psc in Debian's apache2, on loopback and as any user: what stands in the error log when there
# is no update, when there is one, and when somebody forges the answer; and the status pages.
# Everything happens in a temporary directory, and all of it is stopped and removed at the end.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
repository=$(cd "$here/../.." && pwd)
modules=/usr/lib/apache2/modules
PATH=$PATH:/usr/sbin
dir=$(mktemp -d)
server=

fail() { echo "demo.sh: $*" >&2; exit 1; }

apache() { apache2 -d "$dir" -f "$dir/httpd.conf" "$@"; }

# wait_for WHAT COMMAND...: until COMMAND succeeds, 20 seconds at most
wait_for() {
    what=$1
    shift
    tries=0
    until "$@" >/dev/null 2>&1; do
        tries=$((tries + 1))
        [ "$tries" -lt 200 ] || { cat "$dir/error.log" >&2; fail "waited in vain for $what"; }
        sleep 0.1
    done
}

stop_apache() {
    [ ! -e "$dir/run/httpd.pid" ] || apache -k stop
    wait_for "the end of apache2" [ ! -e "$dir/run/httpd.pid" ]
}

clean_up() {
    status=$?
    trap - EXIT
    set +e
    if [ -n "$server" ]; then
        kill "$server"
        wait "$server"
    fi 2>/dev/null
    (stop_apache)
    rm -rf "$dir"
    exit "$status"
}

command -v apache2 >/dev/null || fail "apache2 is missing: run make deps"
trap clean_up EXIT
trap 'exit 1' HUP INT TERM PIPE
chmod 755 "$dir"   # the server's own user must get to its state
mkdir "$dir/run"

echo "Building the module and the reference server ..."
module=$("$here/build.sh" "$dir")
(cd "$repository" && cargo build --quiet --release --package psc-refserver)
refserver=$(cd "$repository" && cd "${CARGO_TARGET_DIR:-target}/release" && pwd)/psc-refserver
"$refserver" keygen "$dir/keys"
"$refserver" serve "$dir/keys" >"$dir/refserver.out" 2>"$dir/refserver.err" &
server=$!
wait_for "the reference server" grep -q "listening on" "$dir/refserver.out"
url=$(sed -n 's/^listening on //p' "$dir/refserver.out")

port=$((20000 + $$ % 10000))

# configure VERSION: a configuration for a product of this version, with a new state directory
configure() {
    cat >"$dir/httpd.conf" <<CONFIGURATION
ServerName localhost
Listen 127.0.0.1:$port
PidFile $dir/run/httpd.pid
DefaultRuntimeDir $dir/run
ErrorLog $dir/error.log
LogLevel warn psc:info
LoadModule mpm_event_module $modules/mod_mpm_event.so
LoadModule authz_core_module $modules/mod_authz_core.so
LoadModule status_module $modules/mod_status.so
LoadModule psc_module $module
PscSecurityUpdateCheckVersion $1
PscSecurityUpdateCheckUrl $url
PscSecurityUpdateCheckProxy none
PscSecurityUpdateCheckCertificatePath $dir/keys/ca.pem
PscSecurityUpdateCheckResourcesDir $dir/keys
PscSecurityUpdateCheckStatePath $dir/state-$scene
PscSecurityUpdateCheckStartDelay 0 0
<Location /psc-status>
    SetHandler psc-status
    PscStatus On
</Location>
<Location /server-status>
    SetHandler server-status
    PscStatus On
</Location>
CONFIGURATION
    if [ "$(id -u)" -eq 0 ]; then printf 'User www-data\nGroup www-data\n' >>"$dir/httpd.conf"; fi
}

# A port that somebody else has is refused at once; then the next one.
start_apache() {
    for _ in 1 2 3 4 5; do
        configure "$1"
        if apache -k start 2>"$dir/start.err"; then
            wait_for "the process id" [ -e "$dir/run/httpd.pid" ]
            return
        fi
        grep -q AH00072 "$dir/start.err" || { cat "$dir/start.err" "$dir/error.log" >&2; fail "apache2 does not start"; }
        port=$((port + 1))
    done
    fail "no free port"
}

# scene TITLE VERSION FAULT PHRASE
scene=0
scene() {
    scene=$((scene + 1))
    echo
    echo "== $1"
    : >"$dir/error.log"
    printf '%s' "$3" >"$dir/keys/fault"
    start_apache "$2"
    wait_for "$4" grep -q "$4" "$dir/error.log"
    curl -fsS "http://127.0.0.1:$port/psc-status" >"$dir/status"
    curl -fsS "http://127.0.0.1:$port/server-status?auto" | grep PscSecurity >"$dir/line"
    stop_apache
    grep '\[psc:' "$dir/error.log"
    echo "-- GET /psc-status"
    cat "$dir/status"
}

scene "No update" 6.0.20 "" "no update found"
scene "An update" 6.0.10 "" "security update is available"
echo "-- GET /server-status?auto"
cat "$dir/line"
scene "A forged answer" 6.0.10 forged "forged signature"

echo
echo "Requests that the reference server saw: $(wc -l <"$dir/keys/requests.jsonl")"
