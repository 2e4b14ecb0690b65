# shellcheck shell=sh
# Logs, temporary files, caches. Patterns and programs for bin/seal.

clear_directory /tmp /var/tmp /var/log/journal /var/lib/systemd/coredump /var/crash
# Nobody creates them but systemd-tmpfiles at boot: without them, logout and shutdown have nowhere to write.
remove /var/log/wtmp /var/log/btmp /var/log/lastlog /var/log/tallylog
remove '/var/log/*.gz' '/var/log/*.xz' '/var/log/*.old' '/var/log/*.[0-9]' '/var/log/*-[0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]' \
    '/var/log/*/*.gz' '/var/log/*/*.xz' '/var/log/*/*.old' '/var/log/*/*.[0-9]'
remove '/var/lib/apt/lists/*_*' '/var/lib/apt/lists/partial/*' '/var/cache/apt/*.bin' '/var/cache/apt/archives/*.deb' \
    '/var/cache/apt/archives/partial/*'
clear_directory /var/cache/dnf /var/cache/yum

# Emptied rather than removed: a service may have made its log at init, with an owner. The journal has gone to memory.
empty_logs() {
    find /var/log -xdev -type f -size +0 -exec truncate --size=0 {} + || :
}

list_full_logs() {
    find /var/log -xdev -type f -size +0
}

# What cannot be removed, such as a mount point, shows in the list of leftovers.
clear_all() {
    find "$@" -xdev -mindepth 1 -delete 2>/dev/null || :
}

# Services that start meanwhile may get private directories; empty ones, which systemd removes when they stop.
list_content() {
    find "$@" -xdev -mindepth 1 ! -path '/tmp/systemd-private-*' ! -path '/var/tmp/systemd-private-*'
}
