#!/bin/sh
# Makes the root filesystem of the test machines: a small Debian 12 with systemd, OpenSSH and a login user `admin`
# that may sudo without a password. It holds no key and no identity; each machine gets its own when it boots.
#   make-test-root.sh TARGET        (as root; does nothing when TARGET exists)
set -eu
target=$1
mkdir -p "$(dirname "$target")"
# Two test runs at once must not both make it.
exec 9>"$target.lock"
flock 9
if [ -d "$target" ]; then exit 0; fi
rm -rf "$target.new"
# shellcheck disable=SC2016 # mmdebstrap gives the root as $1 to the hook
mmdebstrap --quiet --variant=minbase \
    --include=systemd,systemd-sysv,dbus,libpam-systemd,openssh-server,sudo,curl,ca-certificates,openssl \
    --customize-hook='chroot "$1" useradd --create-home --shell /bin/bash admin' \
    --customize-hook='echo "admin ALL=(ALL) NOPASSWD:ALL" > "$1/etc/sudoers.d/admin"; chmod 0440 "$1/etc/sudoers.d/admin"' \
    --customize-hook='rm -f "$1"/etc/ssh/ssh_host_*; : > "$1/etc/machine-id"; echo testmachine > "$1/etc/hostname"' \
    --customize-hook='for u in getty.target console-getty.service apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer fstrim.timer systemd-networkd-wait-online.service; do ln -sf /dev/null "$1/etc/systemd/system/$u"; done' \
    bookworm "$target.new"
mv "$target.new" "$target"
