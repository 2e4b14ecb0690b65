# shellcheck shell=sh
# Nothing may write while the seal works or after it: not even the shutdown, whose own traces would be in the image.
# Programs for bin/seal.

stop_writers() {
    # The journal goes on in memory, whatever restarts journald.
    mkdir -p /run/systemd/journald.conf.d
    printf '[Journal]\nStorage=volatile\n' >/run/systemd/journald.conf.d/bake-ami-seal.conf
    journalctl --relinquish-var
    # Stopped now, it saves its seed now, not at shutdown when nobody removes it any more.
    running=
    for unit in systemd-random-seed.service rsyslog.service syslog.socket amazon-ssm-agent.service \
        unattended-upgrades.service apt-daily.timer apt-daily-upgrade.timer; do
        if [ -e "/usr/lib/systemd/system/$unit" ] || [ -e "/lib/systemd/system/$unit" ]; then
            running="$running $unit"
        fi
    done
    # shellcheck disable=SC2086 # words on purpose
    if [ -n "$running" ]; then systemctl --quiet stop $running || :; fi
    stop_auditd
}

# systemd may not stop it: the unit refuses.
stop_auditd() {
    auditd=
    for file in /run/auditd.pid /var/run/auditd.pid; do
        if [ -r "$file" ] && read -r auditd <"$file"; then break; fi
    done
    if [ -z "$auditd" ] || ! kill "$auditd" 2>/dev/null; then return 0; fi
    for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
        kill -0 "$auditd" 2>/dev/null || return 0
        sleep 0.1
    done
    kill -KILL "$auditd" 2>/dev/null || :
}
