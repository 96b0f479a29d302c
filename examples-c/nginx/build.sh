#!/bin/sh
# Builds OUTPUT_DIR/ngx_http_psc_module.so for the nginx that Debian's nginx-dev belongs to:
# build.sh [--shared] OUTPUT_DIR [LIBRARY_DIR], see ../module-build.sh
set -eu
nginx_source=/usr/share/nginx/src
[ -r "$nginx_source/conf_flags" ] || {
    echo "build.sh: $nginx_source is missing: install nginx-dev (or run: make deps)" >&2
    exit 1
}
# shellcheck source=examples-c/module-build.sh
. "$(dirname "$0")/../module-build.sh"

# for the file "config", which nginx's configure reads
if [ "$link" = static ]; then
    PSC_LIBS=$static_libraries
else
    PSC_LIBS="-L$libraries -lpsc"
fi
PSC_CFLAGS="-I$repository/include"
export PSC_LIBS PSC_CFLAGS

# shellcheck disable=SC2016  # expanded by bash: Debian keeps nginx's configure arguments as a bash array
configure='. ./conf_flags && exec ./configure "${NGX_CONF_FLAGS[@]}" "$@"'

# nginx's configure writes into its own directory, which is root's. Warnings are errors there already.
cp -RL "$nginx_source/." "$work"
cd "$work"
quietly bash -c "$configure" configure \
    --with-cc-opt="-g -O2 -fPIC -fstack-protector-strong -D_FORTIFY_SOURCE=2 -ffile-prefix-map=$repository=." \
    --with-ld-opt='-Wl,-z,relro -Wl,-z,now' \
    --add-dynamic-module="$here"
quietly make -f objs/Makefile modules

install -m 644 objs/ngx_http_psc_module.so "$output/"
echo "$output/ngx_http_psc_module.so"
