#!/bin/sh
# Builds ngx_http_psc_module.so for the nginx that Debian's nginx-dev belongs to.
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
module=$(cd "$(dirname "$0")" && pwd)
repository=$(cd "$module/../.." && pwd)
mkdir -p "$1"
output=$(cd "$1" && pwd)
nginx_source=/usr/share/nginx/src

[ -r "$nginx_source/conf_flags" ] || fail "$nginx_source is missing: install nginx-dev (or run: make deps)"

build=$(mktemp -d)
trap 'rm -rf "$build"' EXIT
trap 'exit 1' HUP INT TERM

quietly() {
    "$@" >"$build/log" 2>&1 || {
        cat "$build/log" >&2
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

# for the file "config", which nginx's configure reads
if [ "$link" = static ]; then
    PSC_LIBS="$libraries/libpsc.a -lcurl -lssl -lcrypto -lpthread -ldl -lm"
else
    PSC_LIBS="-L$libraries -lpsc"
fi
PSC_CFLAGS="-I$repository/include"
export PSC_LIBS PSC_CFLAGS

# shellcheck disable=SC2016  # expanded by bash: Debian keeps nginx's configure arguments as a bash array
configure='. ./conf_flags && exec ./configure "${NGX_CONF_FLAGS[@]}" "$@"'

# nginx's configure writes into its own directory, which is root's. Warnings are errors there already.
cp -RL "$nginx_source/." "$build"
cd "$build"
quietly bash -c "$configure" configure \
    --with-cc-opt="-g -O2 -fPIC -fstack-protector-strong -D_FORTIFY_SOURCE=2 -ffile-prefix-map=$repository=." \
    --with-ld-opt='-Wl,-z,relro -Wl,-z,now' \
    --add-dynamic-module="$module"
quietly make -f objs/Makefile modules

install -m 644 objs/ngx_http_psc_module.so "$output/"
echo "$output/ngx_http_psc_module.so"
