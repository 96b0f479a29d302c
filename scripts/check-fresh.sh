#!/bin/sh
# What a newcomer sees: README's two commands as root and then `make check` as an ordinary user, on the last commit, in a
# minimal Debian that nobody has touched. Packages that happen to be installed here cannot hide what the lists lack.
#
#   check-fresh.sh SUITE [USER...]      as root
#
# SUITE: bookworm, with this machine's Rust toolchain, or trixie, with Debian's own. USER: as whom make check runs, root or
# newcomer; both when none is named.
#
# Debian comes from the mirror, and with the proxy and credentials, that this machine's apt is configured with; crates as its
# cargo is configured. The minimal system is debootstrap's, kept in PSC_FRESH_CACHE (/var/cache/psc-fresh) for a week, together
# with downloaded packages; each run works on a copy, in mount and process namespaces of its own, and removes it.
# Ends with "N passed, N failed, N skipped", summed over the runs of the tests.
set -eu

suite=${1:?usage: check-fresh.sh bookworm|trixie [root] [newcomer]}
shift
[ $# -gt 0 ] || set -- root newcomer
case $suite in
    bookworm | trixie) ;;
    *) echo "check-fresh.sh: no such suite: $suite (bookworm or trixie)" >&2; exit 2 ;;
esac
here=$(cd "$(dirname "$0")" && pwd)
repository=$(cd "$here/.." && pwd)
[ "$(id -u)" -eq 0 ] || { echo "check-fresh.sh: making a system in a folder needs root" >&2; exit 1; }
command -v debootstrap >/dev/null || {
    apt-get update
    DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends debootstrap
}

cache=${PSC_FRESH_CACHE:-/var/cache/psc-fresh}
base=$cache/$suite
mkdir -p "$cache/archives-$suite/partial"
work=$(mktemp -d "$cache/run.XXXXXX")
root=$work/root
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP

# ---- this machine's configuration of apt and cargo
repository_uri() { # of a release whose name ends with this
    # shellcheck disable=SC2016  # expanded by apt-get
    apt-get indextargets --format '$(REPO_URI) $(RELEASE)' 'Created-By: Packages' | sed -n "s/^\([^ ]*\) [a-z]*$1\$/\1/p" | head -n 1
}
mirror=$(repository_uri '')
security=$(repository_uri -security)
mirror=${mirror:-http://deb.debian.org/debian/}
proxy=$(apt-config dump --format '%v%n' Acquire::http::Proxy)

configure_apt() {
    echo "deb $mirror $suite main" >"$root/etc/apt/sources.list"
    [ -z "$security" ] || echo "deb $security $suite-security main" >>"$root/etc/apt/sources.list"
    apt-config dump Acquire | grep -E '^Acquire::(https?|Check|Retries)' >"$root/etc/apt/apt.conf.d/00machine" || true
    for file in auth.conf auth.conf.d; do
        [ ! -e "/etc/apt/$file" ] || cp -a "/etc/apt/$file" "$root/etc/apt/"
    done
}

configure_cargo() { # HOME
    cargo_home=${CARGO_HOME:-$HOME/.cargo}
    mkdir -p "$1/.cargo"
    for file in config.toml credentials.toml; do
        [ ! -e "$cargo_home/$file" ] || cp "$cargo_home/$file" "$1/.cargo/"
    done
}

# ---- a minimal Debian
make_base() {
    find "$cache" -maxdepth 1 -name "$suite" -mtime +7 -exec rm -rf {} +
    [ ! -e "$base" ] || return 0
    rm -rf "$base.new"
    # not set at all where there is none: debootstrap's wget would take an empty one for a proxy
    [ -z "$proxy" ] || export http_proxy="$proxy"
    debootstrap --variant=minbase "$suite" "$base.new" "$mirror" >"$work/debootstrap.log" || { tail "$work/debootstrap.log" >&2; exit 1; }
    touch "$base.new"
    mv "$base.new" "$base"
}

make_root() {
    exec 9>"$cache/lock"
    flock 9
    make_base
    cp -a "$base" "$root"
    flock -u 9
    configure_apt
    cp /etc/resolv.conf "$root/etc/resolv.conf"
    printf '127.0.0.1 localhost fresh\n::1 localhost\n' >"$root/etc/hosts"
    mkdir -p "$root/machine/rust"
    # Where this machine trusts more authorities than Debian, what fetches crates must do so, too; psc must not.
    cp /etc/ssl/certs/ca-certificates.crt "$root/machine/authorities.pem"
    cp "$here/check-fresh-inside.sh" "$root/machine/inside.sh"
    git -c safe.directory='*' clone --quiet --no-hardlinks "$repository" "$root/root/psc"
    configure_cargo "$root/root"
    configure_cargo "$root/etc/skel"
}

# Run in namespaces of its own: from here on the folder is all there is.
# shellcheck disable=SC2016  # expanded by the shell in there
enter='
root=$1 archives=$2 toolchain=$3; shift 3
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=666 devpts "$root/dev/pts"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
mknod -m 666 "$root/dev/null" c 1 3; mknod -m 666 "$root/dev/zero" c 1 5; mknod -m 666 "$root/dev/full" c 1 7
mknod -m 666 "$root/dev/random" c 1 8; mknod -m 666 "$root/dev/urandom" c 1 9; mknod -m 666 "$root/dev/tty" c 5 0
ln -s pts/ptmx "$root/dev/ptmx"; ln -s /proc/self/fd "$root/dev/fd"
ln -s /proc/self/fd/0 "$root/dev/stdin"; ln -s /proc/self/fd/1 "$root/dev/stdout"; ln -s /proc/self/fd/2 "$root/dev/stderr"
mount --bind "$archives" "$root/var/cache/apt/archives"
if [ -n "$toolchain" ]; then
    mount --bind "$toolchain" "$root/machine/rust"
    mount -o remount,bind,ro "$root/machine/rust"
fi
hostname fresh
mkdir "$root/.old"
cd "$root"
pivot_root . .old
cd /
umount -l /.old
rmdir /.old
exec "$@"
'

toolchain=
[ "$suite" != bookworm ] || toolchain=$(cd "$repository" && rustc --print sysroot)
make_root
echo "check-fresh: $suite, $(git -C "$repository" log -1 --format='%h %s')"
status=0
unshare --mount --pid --fork --ipc --uts --kill-child --propagation private sh -euc "$enter" enter "$root" "$cache/archives-$suite" "$toolchain" \
    env -i PATH=/machine/rust/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 \
    CARGO_HTTP_CAINFO=/machine/authorities.pem ${PSC_LONG:+PSC_LONG="$PSC_LONG"} \
    sh /machine/inside.sh "$suite" "$@" </dev/null || status=$?
[ "$status" -eq 0 ] || echo "check-fresh: $suite fails ($status)"
exit "$status"
