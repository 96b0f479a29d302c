#!/bin/sh
# Installs the Debian packages that building and testing psc needs.
# No service is started or enabled; what has to be changed for that is put back.
#   install-deps.sh [SET...]                as root; anyone else gets the command to give
#   install-deps.sh --if-missing [SET...]   the same, but silent when nothing is missing
#   install-deps.sh --missing [SET...]      installs nothing, and fails when something is missing
# SET: build (library, reference server, make demo), nginx, apache (module and demo), test (make check); all without one
set -eu

build='gcc libc6-dev make pkg-config libcurl4-openssl-dev libssl-dev openssl ca-certificates'
nginx='nginx nginx-dev curl procps'
apache='apache2 apache2-dev curl procps'
test='g++ clang libclang-rt-dev binutils valgrind shellcheck strace faketime iproute2 python3 python3-jsonschema
 libnginx-mod-http-echo apache2-utils wrk passenger tinyproxy microsocks zlib1g-dev'

mode=install
case ${1-} in
    --if-missing | --missing) mode=$1; shift ;;
esac
[ $# -gt 0 ] || set -- build nginx apache test
sets=$*
wanted=
for set; do
    case $set in
        build) wanted="$wanted $build" ;;
        nginx) wanted="$wanted $nginx" ;;
        apache) wanted="$wanted $apache" ;;
        test) wanted="$wanted $test" ;;
        *) echo "install-deps.sh: there is no set of packages \"$set\"" >&2; exit 2 ;;
    esac
done

policy=/usr/sbin/policy-rc.d
saved=$policy.saved-by-psc
marker='# temporary, made by install-deps.sh of psc'

needs_lints() { case " $sets " in *" test "*) return 0 ;; *) return 1 ;; esac; }

missing_packages() {
    for package in $wanted; do
        state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) || state=absent
        [ "$state" = installed ] || echo "$package"
    done
}

# Debian's own toolchain has its lints in packages; rustup's are components, added by the user it belongs to.
missing_rust_packages() {
    needs_lints || return 0
    [ "$(command -v cargo)" = /usr/bin/cargo ] || return 0
    cargo fmt --version >/dev/null 2>&1 || echo rustfmt
    cargo clippy --version >/dev/null 2>&1 || echo rust-clippy
}

add_rustup_components() {
    needs_lints || return 0
    command -v rustup >/dev/null || return 0
    if cargo fmt --version >/dev/null 2>&1 && cargo clippy --version >/dev/null 2>&1; then return 0; fi
    rustup component add rustfmt clippy
}

# An earlier run may have been killed: then its policy is still there.
restore_policy() {
    if [ -e "$saved" ]; then
        mv -f "$saved" "$policy"
    elif grep -qs "^$marker" "$policy"; then
        rm -f "$policy"
    fi
}

forbid_starts() {
    restore_policy
    if [ -e "$policy" ]; then mv "$policy" "$saved"; fi
    printf '#!/bin/sh\n%s\nexit 101\n' "$marker" >"$policy"
    chmod 755 "$policy"
}

installed_packages() {
    dpkg-query -W -f '${db:Status-Status} ${Package}\n' | sed -n 's/^installed //p' | sort
}

units_of() {
    dpkg-query -L "$1" | sed -nE 's#^(/usr)?/lib/systemd/system/([^/]+[.](service|socket|timer|path))$#\2#p'
}

# What installation enables at boot is switched off again, for packages that were not there before.
disable_services() {
    installed_packages | comm -13 "$before" - | while read -r package; do
        for script in $(dpkg-query -L "$package" | sed -n 's#^/etc/init[.]d/\([^/]*\)$#\1#p'); do
            update-rc.d "$script" disable >/dev/null 2>&1 || true
        done
        # The variable makes deb-systemd-helper work outside of dpkg.
        for unit in $(units_of "$package"); do
            DPKG_MAINTSCRIPT_PACKAGE=$package deb-systemd-helper disable "$unit" >/dev/null 2>&1 || true
        done
    done
}

finish() {
    disable_services
    restore_policy
    rm -f "$before"
}

install() {
    before=$(mktemp)
    installed_packages >"$before"
    trap finish EXIT
    trap 'exit 130' INT TERM HUP
    forbid_starts
    export DEBIAN_FRONTEND=noninteractive
    apt-get update
    # shellcheck disable=SC2086  # a list of names
    apt-get install -y --no-install-recommends $1
}

if ! command -v apt-get >/dev/null; then
    [ "$mode" != install ] && exit 0
    echo "This is no Debian. psc needs what these packages hold:$wanted" >&2
    exit 1
fi

[ "$mode" = --missing ] || add_rustup_components
missing=$(missing_packages; missing_rust_packages)
if [ -z "$missing" ]; then
    [ "$mode" != install ] || echo "Everything psc needs is installed."
    exit 0
fi
if [ "$mode" = --missing ] || [ "$(id -u)" -ne 0 ]; then
    echo "Missing: $missing" | tr '\n' ' ' >&2
    echo >&2
    echo "Install them (this starts and enables no service) with:" >&2
    [ "$(id -u)" -eq 0 ] && sudo='' || sudo='sudo '
    echo "    $sudo$(cd "$(dirname "$0")" && pwd)/install-deps.sh $sets" >&2
    exit 1
fi
install "$missing"
