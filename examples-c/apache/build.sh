#!/bin/sh
# Builds mod_psc.so with apxs.
#
#   build.sh [--shared] OUTPUT_DIR [LIBRARY_DIR]
#
# LIBRARY_DIR holds libpsc.a and libpsc.so; without it they are built with cargo first. libpsc.a
# becomes part of the module, unless --shared asks for a module that needs libpsc.so at run time.
set -eu

fail() { echo "build.sh: $*" >&2; exit 1; }

link=static
if [ "${1-}" = --shared ]; then
    link=shared
    shift
fi
case $# in
    1 | 2) ;;
    *) fail "usage: build.sh [--shared] OUTPUT_DIR [LIBRARY_DIR]" ;;
esac
here=$(cd "$(dirname "$0")" && pwd)
repository=$(cd "$here/../.." && pwd)
mkdir -p "$1"
output=$(cd "$1" && pwd)

command -v apxs >/dev/null || fail "apxs is missing: install apache2-dev (or run: make deps)"

# apxs puts its objects beside the sources, and a checkout may be read-only.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM PIPE

quietly() {
    "$@" >"$work/log" 2>&1 || {
        cat "$work/log" >&2
        fail "$1 failed"
    }
}

build_library() {
    # the same command as in the Makefile: with another one cargo would build the library anew
    cd "$repository" && cargo rustc --release --lib -p psc -- --print native-static-libs
}

if [ $# -eq 2 ]; then
    libraries=$(cd "$2" && pwd)
else
    quietly build_library
    libraries=$(cd "$repository" && cd "${CARGO_TARGET_DIR:-target}/release" && pwd)
fi

cp "$here"/*.c "$here"/*.h "$work"

# nodelete: httpd unmaps its modules at every restart, and code that a thread still runs, libcurl's
# name look-up for one, must stay.
set -- -Wl,-z,nodelete
if [ "$link" = static ]; then
    # psc's symbols stay the module's own: another module may bring its own copy of psc.
    set -- "$@" -Wl,--exclude-libs,ALL "$libraries/libpsc.a" -lcurl -lssl -lcrypto -lpthread -ldl -lm
else
    set -- "$@" "-L$libraries" -lpsc -lpthread
fi

cd "$work"
quietly apxs -c -n psc -o mod_psc.la "-I$repository/include" \
    -Wc,-std=gnu11 -Wc,-Wall -Wc,-Wextra -Wc,-Werror -Wc,-fvisibility=hidden \
    mod_psc.c mp_*.c "$@"
install -m 644 .libs/mod_psc.so "$output/"
echo "$output/mod_psc.so"
