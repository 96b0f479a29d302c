# What both modules' build.sh begin with; sourced, with "$@" being theirs: [--shared] OUTPUT_DIR [LIBRARY_DIR]
#
# LIBRARY_DIR holds libpsc.a and libpsc.so; without it they are built with cargo first. libpsc.a becomes part of the
# module, unless --shared asks for a module that needs libpsc.so at run time.
#
# Sets: here (the module's sources), repository, output, libraries, link (static or shared), and work, a directory that is
# removed at the end.
# shellcheck shell=sh disable=SC2034  # used by the scripts that source this one

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

# What a module with libpsc.a in it needs beside it. With the feature static-curl libcurl is a part of libpsc.a, which then
# needs zlib; a linker that misses it says nothing, and the server cannot load the module.
static_libraries="$libraries/libpsc.a -lssl -lcrypto -lpthread -ldl -lm"
if [ "$link" = static ]; then
    if nm "$libraries/libpsc.a" 2>/dev/null | grep -q ' T curl_easy_init$'; then
        static_libraries="$static_libraries -lz"
    else
        static_libraries="$static_libraries -lcurl"
    fi
fi
