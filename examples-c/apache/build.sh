#!/bin/sh
# Builds OUTPUT_DIR/mod_psc.so with apxs: build.sh [--shared] OUTPUT_DIR [LIBRARY_DIR], see ../module-build.sh
set -eu
command -v apxs >/dev/null || { echo "build.sh: apxs is missing: install apache2-dev (or run: make deps)" >&2; exit 1; }
# shellcheck source=examples-c/module-build.sh
. "$(dirname "$0")/../module-build.sh"

# apxs puts its objects beside the sources, and a checkout may be read-only.
cp "$here"/*.c "$here"/*.h "$work"

# nodelete: httpd unmaps its modules at every restart, and code that a thread still runs, libcurl's
# name look-up for one, must stay.
set -- -Wl,-z,nodelete
if [ "$link" = static ]; then
    # psc's symbols stay the module's own: another module may bring its own copy of psc.
    # shellcheck disable=SC2086  # a list
    set -- "$@" -Wl,--exclude-libs,ALL $static_libraries
else
    set -- "$@" "-L$libraries" -lpsc -lpthread
fi

cd "$work"
quietly apxs -c -n psc -o mod_psc.la "-I$repository/include" \
    -Wc,-std=gnu11 -Wc,-Wall -Wc,-Wextra -Wc,-Werror -Wc,-fvisibility=hidden \
    "-DMOD_PSC_HTTPD=$(apxs -q progname)" \
    mod_psc*.c "$@"
install -m 644 .libs/mod_psc.so "$output/"
echo "$output/mod_psc.so"
