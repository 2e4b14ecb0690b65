# shellcheck shell=sh
# Goes to a temporary machine in its user data, and runs at every boot, early: powers it off at $deadline (seconds since
# the epoch), whether or not whoever started it is still there. Its shutdown behaviour then terminates it.
# A calendar timer follows the clock when that is set right. It never fires for a time that is past, though: a machine
# that boots later still gets a few seconds.
soonest=$(($(date +%s) + 5))
# shellcheck disable=SC2154 # set in front of this
if [ "$deadline" -lt "$soonest" ]; then deadline=$soonest; fi
# There may be no bus yet: as root, systemd-run speaks to systemd itself. Nothing here may wait for a job, because jobs
# wait for this; and the timer must not wait for the boot, which may hang.
systemd-run --quiet --no-block --unit=bake-ami-deadline --description='The time of this machine is over' \
    --on-calendar="@$deadline" --timer-property=AccuracySec=1s --timer-property=DefaultDependencies=no \
    --property=DefaultDependencies=no systemctl poweroff
