#!/bin/sh
# Formatting and warnings, as errors, of Rust, shell, C and C++. Tells all of them, not just the first.
set -u
cd "$(dirname "$0")/.." || exit 1

target=${CARGO_TARGET_DIR:-target}
failed=0
fail() {
    echo "lint: $1" >&2
    failed=1
}

cargo fmt --all -- --check || fail "cargo fmt --all"
# Lints come and go from one clippy to the next: what another one than this finds is shown, and no failure.
linted_with='clippy 0.1.95'
case $(cargo clippy --version) in
    "$linted_with "*) deny='-D warnings' ;;
    *) deny='' ;;
esac
for part in '--workspace --all-targets' '-p psc --lib --features test-panic'; do
    # shellcheck disable=SC2086  # lists
    cargo clippy $part --quiet -- $deny || fail "cargo clippy $part"
done

shell_scripts() {
    find . \( -path ./target -o -path ./.git -o -path "./$target" \) -prune -o -type f -print | while read -r file; do
        case $file in
            *.sh) echo "$file" ;;
            *) head -n 1 "$file" | LC_ALL=C grep -qaE '^#!.*\b(sh|bash)$' && echo "$file" ;;
        esac
    done
}
shell_scripts | xargs shellcheck --external-sources || fail "shellcheck"

# nginx's headers need what its configure script finds out; done once for each version of nginx-dev.
nginx=$target/nginx-headers-$(dpkg-query -W -f '${Version}' nginx-dev 2>/dev/null || echo unknown)
configure_nginx() {
    rm -rf "$nginx.new"
    mkdir -p "$target"
    cp -RL /usr/share/nginx/src "$nginx.new" || return 1
    # shellcheck disable=SC2016  # expanded by bash: Debian keeps the arguments as a bash array
    if ! (cd "$nginx.new" && bash -c '. ./conf_flags && ./configure "${NGX_CONF_FLAGS[@]}"') >"$nginx.log" 2>&1; then
        cat "$nginx.log"
        return 1
    fi
    mv "$nginx.new" "$nginx"
}
[ -e "$nginx" ] || configure_nginx || fail "nginx's configure"

# The hosts' own headers are not ours to warn about: -isystem.
flags_for() {
    case $1 in
        examples-c/nginx/*)
            find "$nginx/src" "$nginx/objs" -type d -printf ' -isystem %p' ;;
        examples-c/apache/*)
            printf ' -isystem %s ' "$(apxs -q INCLUDEDIR)"
            apr-1-config --includes --cppflags | sed 's/-I/-isystem /g' | tr '\n' ' ' ;;
    esac
}

for file in c-tests/*/*.c c-tests/*/*.cpp examples-c/*.c examples-c/*.cpp examples-c/*/*.c; do
    [ -e "$file" ] || continue
    case $file in
        *.cpp) standard=c++11 compilers='g++ clang++' ;;
        *) standard=c11 compilers='gcc clang' ;;
    esac
    for compiler in $compilers; do
        # shellcheck disable=SC2046  # flags are words
        "$compiler" "-std=$standard" -Wall -Wextra -Wpedantic -Werror -D_GNU_SOURCE \
            -I include $(flags_for "$file") -pthread -fsyntax-only "$file" || fail "$compiler $file"
    done
done

[ "$failed" -eq 0 ] && echo "lint: clean"
exit "$failed"
