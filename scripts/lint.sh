#!/bin/sh
# Formatting and warnings, as errors, of Rust, C, C++ and shell.
set -eu
cd "$(dirname "$0")/.."

cargo fmt --all -- --check
cargo clippy --workspace --all-targets --quiet -- -D warnings

find scripts .ci examples-c tests docs packaging -type f 2>/dev/null | while read -r file; do
    if head -n 1 "$file" | LC_ALL=C grep -qaE '^#!.*\b(sh|bash)$'; then echo "$file"; fi
done | xargs shellcheck

# nginx's headers need what its configure script finds out; done once for each version of nginx-dev.
target=${CARGO_TARGET_DIR:-target}
nginx=$target/nginx-headers-$(dpkg-query -W -f '${Version}' nginx-dev 2>/dev/null || echo unknown)
if [ ! -e "$nginx/objs/ngx_auto_config.h" ]; then
    rm -rf "$nginx"
    mkdir -p "$target"
    cp -RL /usr/share/nginx/src "$nginx"
    # shellcheck disable=SC2016  # expanded by bash: Debian keeps the arguments as a bash array
    (cd "$nginx" && bash -c '. ./conf_flags && ./configure "${NGX_CONF_FLAGS[@]}"') >"$nginx/log" 2>&1 ||
        { cat "$nginx/log"; exit 1; }
fi

# The hosts' own headers are not ours to warn about: -isystem.
flags_for() {
    case $1 in
        examples-c/nginx/*)
            for dir in src/core src/event src/event/modules src/os/unix src/http src/http/modules src/http/v2 objs; do
                printf ' -isystem %s' "$nginx/$dir"
            done ;;
        examples-c/apache/*)
            printf ' -isystem %s ' "$(apxs -q INCLUDEDIR)"
            apr-1-config --includes --cppflags | sed 's/-I/-isystem /g' | tr '\n' ' ' ;;
    esac
}
for file in c-tests/*.c c-tests/*.cpp examples-c/*.c examples-c/*.cpp examples-c/*/*.c; do
    [ -e "$file" ] || continue
    case $file in
        *.cpp) standard=c++11 compilers='g++ clang++' ;;
        *) standard=c11 compilers='gcc clang' ;;
    esac
    for compiler in $compilers; do
        # shellcheck disable=SC2046  # flags are words
        "$compiler" "-std=$standard" -Wall -Wextra -Wpedantic -Werror -D_GNU_SOURCE \
            -I include -I c-tests $(flags_for "$file") -pthread -fsyntax-only "$file"
    done
done
echo "lint: clean"
