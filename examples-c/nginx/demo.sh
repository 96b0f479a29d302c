#!/bin/sh
# The module at work: builds it, starts the reference server and nginx on loopback from a temporary
# directory, and shows what a check without an update, with one, and with a forged answer write to
# error.log, and the status page after each. Runs as any user and leaves nothing behind.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
repository=$(cd "$here/../.." && pwd)
nginx=$(PATH=$PATH:/usr/sbin command -v nginx) || { echo "nginx is missing (run: make deps)" >&2; exit 1; }

work=$(mktemp -d)
server_pid=
nginx_pid=
clean_up() {
    for pid in $nginx_pid $server_pid; do
        kill "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 1' HUP INT TERM

wait_for() { # FILE PATTERN [COUNT]: until the file has so many lines with it
    tries=0
    while found=$(grep -cs -- "$2" "$1" || true); [ "${found:-0}" -lt "${3:-1}" ]; do
        tries=$((tries + 1))
        if [ $tries -gt 300 ]; then
            echo "waited in vain for \"$2\" in $1:" >&2
            cat "$1" >&2
            exit 1
        fi
        sleep 0.1
    done
}

echo "== building the module and the reference server"
"$here/build.sh" "$work" >/dev/null
(cd "$repository" && cargo build --quiet --release --package psc-refserver)
refserver=$(cd "$repository" && cd "${CARGO_TARGET_DIR:-target}/release" && pwd)/psc-refserver

# Root's nginx gives its workers to another user, who has to get in here.
chmod 755 "$work"
mkdir "$work/keys"
"$refserver" keygen "$work/keys" >/dev/null
"$refserver" serve "$work/keys" >"$work/refserver.log" 2>&1 &
server_pid=$!
wait_for "$work/refserver.log" "listening on"
url=$(sed -n 's/^listening on //p' "$work/refserver.log")

configure() { # NAME VERSION: each part of the demo has its own memory, or it would not check again
    cat >"$work/nginx.conf" <<EOF
load_module $work/ngx_http_psc_module.so;
worker_processes 2;
daemon off;
pid $work/nginx.pid;
error_log $work/error.log notice;
events { }
http {
    access_log off;
    client_body_temp_path $work/body;
    proxy_temp_path $work/proxy;
    fastcgi_temp_path $work/fastcgi;
    uwsgi_temp_path $work/uwsgi;
    scgi_temp_path $work/scgi;

    psc_security_update_check_version $2;
    psc_security_update_check_url $url;
    psc_security_update_check_proxy none;
    psc_security_update_check_certificate_path $work/keys/ca.pem;
    psc_security_update_check_resources_dir $work/keys;
    psc_security_update_check_state_path $work/state-$1;
    psc_security_update_check_start_delay 0;
    psc_security_update_check_start_jitter 0;

    server {
        listen 127.0.0.1:$port;
        location = /psc { psc_status; }
    }
}
EOF
}

start_nginx() { # on a port that nobody uses
    for port in 18080 28080 38080 48080 58080; do
        configure no-update 99.0.0
        "$nginx" -e "$work/error.log" -p "$work" -c "$work/nginx.conf" 2>"$work/nginx.out" &
        nginx_pid=$!
        while kill -0 $nginx_pid 2>/dev/null; do
            if [ -s "$work/nginx.pid" ]; then return; fi
            sleep 0.1
        done
        wait $nginx_pid || true
        nginx_pid=
    done
    cat "$work/nginx.out" >&2
    exit 1
}

show() { # TITLE PATTERN: what was logged since the last time, and the status page
    wait_for "$work/error.log" "$2"
    echo
    echo "== $1"
    grep -E 'security update|Security update|no update found' "$work/error.log"
    : >"$work/error.log"
    curl --silent --show-error "http://127.0.0.1:$port/psc"
}

start_nginx
show "no update" "no update found"

configure update 6.0.10
kill -HUP $nginx_pid
show "an update" "security update is available"

echo forged >"$work/keys/fault"
configure forged 99.0.0
kill -HUP $nginx_pid
show "a forged answer" "Security update check failed:"

kill -QUIT $nginx_pid
wait $nginx_pid
nginx_pid=
echo
echo "== nginx left with code 0; everything is stopped"
