#!/bin/sh
# Installs system packages through the system's package manager, and says what to install where there is none that it
# knows. Packages that are there already are left alone.
#   packages.sh run|test
# `run` is what the local cloud needs; `test` adds what the test suite needs.
set -eu

run_apt='qemu-system-x86 qemu-utils mmdebstrap e2fsprogs openssh-client ca-certificates curl fakeroot'
test_apt='systemd-container awscli shellcheck dash socat util-linux'

case ${1-} in
run) packages=$run_apt ;;
test) packages="$run_apt $test_apt" ;;
*)
    echo "usage: packages.sh run|test" >&2
    exit 2
    ;;
esac

if ! command -v apt-get >/dev/null 2>&1; then
    missing=''
    for program in qemu-system-x86_64 qemu-img mmdebstrap mke2fs ssh curl; do
        command -v "$program" >/dev/null 2>&1 || missing="$missing $program"
    done
    [ -n "$missing" ] || exit 0
    echo "This system has no apt-get. Install these programs and run this again:$missing" >&2
    echo "  macOS:         brew install qemu e2fsprogs    (base image: bake-ami local setup al2023)" >&2
    echo "  Fedora and co: dnf install qemu-system-x86-core qemu-img mmdebstrap e2fsprogs openssh-clients curl" >&2
    exit 2
fi

missing=''
for package in $packages; do
    # shellcheck disable=SC2016 # the format is dpkg's, not the shell's
    state=$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null || :)
    [ "$state" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

sudo=''
if [ "$(id -u)" != 0 ]; then
    if ! command -v sudo >/dev/null 2>&1; then
        echo "As root, run: apt-get install --no-install-recommends$missing" >&2
        exit 2
    fi
    sudo=sudo
fi
echo "installing$missing"
export DEBIAN_FRONTEND=noninteractive
$sudo apt-get update -qq
# shellcheck disable=SC2086 # a list of words
$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends $missing >/dev/null
