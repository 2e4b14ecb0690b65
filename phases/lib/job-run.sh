# shellcheck shell=sh disable=SC2154 # paths and the order are bin/job's
# Starts and stops the command of a job. Sourced by bin/job.

job_start() {
    mkdir -p "$runtime/callers" "$work" "${log%/*}" /run/systemd/system
    exec 8>"$runtime/lock"
    flock 8
    read -r boot </proc/sys/kernel/random/boot_id
    uptime
    if [ $# -gt 0 ]; then put "$runtime/callers/$1" "$now 0"; fi
    if [ ! -e "$own/started" ]; then
        : >"$log"
        write_units
        put "$own/started" "$boot" "$now" "$(date -u +%s)"
    fi
    # From here on the job itself is what ends the machine.
    systemctl stop "$idle" 2>/dev/null || :
    read -r started_boot <"$own/started"
    # After a reboot there is nothing to start again: bin/job resume tells what became of it.
    if [ "$started_boot" != "$boot" ]; then return 0; fi
    case $(systemctl is-active "$unit") in active | activating | deactivating | reloading) return 0 ;; esac
    if [ -e "$runtime/outcome" ] || [ -e "$own/outcome" ]; then return 0; fi
    # A machine whose kernel gives up comes back and tells of it.
    { echo 10 >/proc/sys/kernel/panic; } 2>/dev/null || :
    systemctl start "$ending"
    systemctl start --no-block "$unit"
    tell_console 'result=started status=- log=- reason=-'
}

# The job's unit is of this boot alone. The other one does nothing while the job runs; it is there to be stopped: by the
# end of the job, or by a shutdown, which stops it after the job and before the network.
write_units() {
    cat >"/run/systemd/system/$unit" <<END
[Unit]
Description=bake-ami: the job
BindsTo=$ending
# Where no hook of bake-ami has waited for that, cloud-init may still be at work.
After=$ending cloud-final.service

[Service]
Type=exec
ExecStart=/bin/sh $own/command
ExecStopPost=/bin/sh $own/bin/job ended
WorkingDirectory=$work
Environment=HOME=/root
StandardInput=null
StandardOutput=append:$log
StandardError=append:$log
RuntimeMaxSec=$max
TimeoutStopSec=10
# Whether a job goes on without one of its processes is for the job to say.
OOMPolicy=continue
TasksMax=infinity
# As in any shell.
IgnoreSIGPIPE=no
END
    cat >"/etc/systemd/system/$ending" <<END
[Unit]
Description=bake-ami: the end of the job
Wants=network-online.target
After=network-online.target network.target nss-lookup.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh $own/bin/job resume
ExecStop=/bin/sh $own/bin/job finish
TimeoutStartSec=25min
TimeoutStopSec=25min
END
    mkdir -p /etc/systemd/system/multi-user.target.wants
    ln -sf "/etc/systemd/system/$ending" /etc/systemd/system/multi-user.target.wants/
}

job_stop() {
    put "$runtime/stopped" "$1"
    systemctl stop --no-block "$unit"
}

job_status() {
    state=running
    for file in "$runtime/result" "$own/result"; do
        if [ -e "$file" ]; then state=ended; fi
    done
    if [ ! -e "$own/started" ]; then state=waiting; fi
    printf '%s\n' "state=$state" "run=$run" "keep=$keep" "log=$log_at"
}

# At a boot: the job of an earlier boot was lost with it, or its log was not sent to the end.
job_resume() {
    if [ ! -e "$own/started" ]; then return 0; fi
    read -r boot <"$own/started"
    read -r this_boot </proc/sys/kernel/random/boot_id
    if [ "$boot" = "$this_boot" ]; then return 0; fi
    mkdir -p "$runtime/callers"
    if [ ! -e "$own/outcome" ]; then put "$own/outcome" 255 '-' 'the machine went down while the job ran' || :; fi
    job_finish
}
