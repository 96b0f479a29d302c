#!/bin/sh
# What check-fresh.sh does inside the minimal Debian, as its root, with the clone in /root/psc: SUITE USER...
set -u
suite=$1
shift
export HOME=/root USER=root DEBIAN_FRONTEND=noninteractive

die() { echo "check-fresh: $*" >&2; exit 1; }
installed() { dpkg-query -W -f '${Package} ${db:Status-Status}\n' | sed -n 's/ installed$//p'; }
step() { printf '\ncheck-fresh: %s\n' "$*"; }

# What README asks for: make, and a Rust toolchain, which in bookworm is this machine's.
step "the tools that README asks for"
apt-get -q update || die "apt-get update fails"
case $suite in
    bookworm) apt-get -qq install -y --no-install-recommends make >/dev/null ;;
    *) apt-get -qq install -y --no-install-recommends make cargo rustc >/dev/null ;;
esac || die "apt-get install fails"
cargo --version
cd /root/psc || exit 1

step "make build says what is missing, and installs nothing"
before=$(installed)
make build >/tmp/build.log 2>&1 && die "make build succeeds without a compiler"
grep -q 'Missing: .*libcurl4-openssl-dev' /tmp/build.log || { cat /tmp/build.log; die "make build does not say what is missing"; }
[ "$before" = "$(installed)" ] || die "make build has installed something"

step "make demo, as root"
make demo || die "make demo fails"
for package in nginx apache2 passenger clang; do
    ! installed | grep -qx "$package" || die "make demo has installed $package"
done

# check NAME COMMAND...: runs make check, keeps its last line
failed=0
check() {
    name=$1
    shift
    step "make check, as $name"
    started=$(date +%s)
    # Of a pipe the last command's status counts in sh; the summary line tells of the first one's.
    "$@" 2>&1 | tee "/tmp/$name.log"
    lines="$lines$(grep -E '^[0-9]+ passed, [0-9]+ failed' "/tmp/$name.log" | tail -n 1)
"
    echo "check-fresh: make check as $name took $(($(date +%s) - started)) s"
}
lines=
as_newcomer() {
    useradd --create-home newcomer || die "useradd fails"
    cp -a /root/psc /home/newcomer/psc
    rm -rf /home/newcomer/psc/target
    chown -R newcomer: /home/newcomer
    setpriv --reuid newcomer --regid newcomer --init-groups env HOME=/home/newcomer USER=newcomer make -C /home/newcomer/psc check
}
for user; do
    case $user in
        root) check root make check ;;
        newcomer)
            scripts/install-deps.sh >/tmp/deps.log 2>&1 || die "install-deps.sh fails: $(tail -n 5 /tmp/deps.log)"
            check newcomer as_newcomer
            ;;
        *) die "no such user: $user" ;;
    esac
done

step "what is left"
# This shell is the first process here; what else has a command line was left behind by a test.
for process in /proc/[0-9]*; do
    if [ "$process" = /proc/1 ] || ! [ -s "$process/cmdline" ]; then continue; fi
    tr '\0' ' ' <"$process/cmdline" && echo "is left"
    failed=1
done

printf '%s' "$lines" | awk -v failed="$failed" -v wanted=$# '
    NF { runs++; passed += $1; failed += $3; if ($6 ~ /^skipped/) skipped += $5 }
    END {
        # a run without its last line has failed
        if (runs < wanted) failed += wanted - runs
        printf "\n%d passed, %d failed, %d skipped\n", passed, failed, skipped
        exit (failed > 0 || passed == 0)
    }'
