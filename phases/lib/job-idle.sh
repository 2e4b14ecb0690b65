# shellcheck shell=sh
# Goes to a job's machine in its user data, and runs at every boot, early: powers the machine off at $idle (seconds since
# the epoch) when by then nobody has started a job on it, because whoever wanted to is gone.
soonest=$(($(date +%s) + 60))
# shellcheck disable=SC2154 # set in front of this
if [ "$idle" -lt "$soonest" ]; then idle=$soonest; fi
if [ ! -e /var/lib/bake-ami/job.d/started ]; then
    systemd-run --quiet --no-block --unit=bake-ami-job-idle --description='No job was started on this machine' \
        --on-calendar="@$idle" --timer-property=AccuracySec=1s --timer-property=DefaultDependencies=no \
        --property=DefaultDependencies=no systemctl poweroff
fi
