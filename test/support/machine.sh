#!/bin/sh
# Keeps one test machine: run by nspawn.ts in mount and PID namespaces of its own, so that the mounts and every process
# end with this program, however it ends.
#   machine.sh NAME ROOT SCRATCH
# ROOT is the shared root, which stays as it is; the machine's own tree is SCRATCH/fs/root.
# Each line on standard input boots the machine once; it says `stopped STATUS` when that is over.
set -eu
name=$1 root=$2 scratch=$3
exec 2>>"$scratch/console"
# systemd in the machine takes the control group that it finds itself in, so each machine needs its own.
for hierarchy in /sys/fs/cgroup/systemd /sys/fs/cgroup/unified /sys/fs/cgroup; do
    if [ -e "$hierarchy/cgroup.procs" ]; then
        mkdir -p "$hierarchy/$name"
        echo 0 >"$hierarchy/$name/cgroup.procs"
    fi
done
mkdir -p "$scratch/fs" /run/systemd/nspawn
mount -t tmpfs tmpfs /run/systemd/nspawn
mount -t tmpfs -o mode=0755 tmpfs "$scratch/fs"
mkdir "$scratch/fs/upper" "$scratch/fs/work" "$scratch/fs/root"
mount -t overlay -o "lowerdir=$root,upperdir=$scratch/fs/upper,workdir=$scratch/fs/work" \
    overlay "$scratch/fs/root"
echo ready
while read -r _; do
    status=133
    # With --keep-unit, 133 says that the machine wants to be started again: a reboot.
    while [ "$status" = 133 ]; do
        status=0
        systemd-nspawn --quiet --directory="$scratch/fs/root" --machine="$name" --boot --register=no --keep-unit \
            --link-journal=no --console=read-only --hostname=testmachine </dev/null >>"$scratch/console" 2>&1 || status=$?
    done
    echo "stopped $status"
done
