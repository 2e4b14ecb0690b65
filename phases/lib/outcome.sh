# shellcheck shell=sh disable=SC2154 # phase, run and the paths are drive's
# What is known about a phase run beyond the journal: outcome file, console line, log file. Sourced by drive.

# The words of its argument as a,b,c, or - for none; the result is in $commas, so that no process is spent.
commas() {
    commas=
    for word in $1; do commas="${commas:+$commas,}$word"; done
    commas=${commas:--}
}

# write_outcome STATE [FURTHER-LINE...]
# In memory for those who wait, which works on a full disk; and on disk for those who look after a reboot.
write_outcome() {
    outcome_state=$1
    shift
    set -- "state=$outcome_state" "phase=$phase" "run=$run" "boot=$boot" "pid=$$" "$@"
    printf '%s\n' "$@" >"$runtime/outcome/$phase"
    if { printf '%s\n' "$@" >"$state/outcome/$phase.new"; } 2>/dev/null; then
        mv -f "$state/outcome/$phase.new" "$state/outcome/$phase" || :
    fi
}

# Of each of its arguments, all names of failed services, why it failed.
tell_reasons() {
    for service in "$@"; do
        reason=
        case $service in
        _launch-request) reason=$launch_why ;;
        *)
            case " $unknown " in *" $service "*) reason="there is no such service in this machine's bundle" ;; esac
            ;;
        esac
        for reason_phase in init "$phase"; do
            if [ -z "$reason" ] && [ -r "$runtime/results/$reason_phase/$service" ]; then
                {
                    read -r reason_result || :
                    read -r reason || :
                } <"$runtime/results/$reason_phase/$service"
                if [ "$reason_result" != failed ]; then reason=; fi
                reason=${reason:+"$reason_phase: $reason"}
            fi
        done
        case $service in
        _launch-request) service='the launch' ;;
        _packages) service='package installation' ;;
        _before) service='global setup' ;;
        _after) service='global cleanup' ;;
        esac
        make_one_line "why run=$run $service: ${reason:-systemd ended it}"
        tell_console "$one_line"
    done
}

# When what happened, in seconds since the kernel's start, where it was to be seen.
tell_times() {
    set +f
    set -- "$runtime"/results/init/* "$runtime/results/$phase"/*
    set -f
    spans=
    for file in "$@"; do
        case $file in *'*') continue ;; esac
        {
            read -r _ || :
            read -r _ || :
            read -r span || :
        } <"$file"
        case $span in *:*.*) spans="${spans:+$spans,}${file#"$runtime/results/"}:$span" ;; esac
    done
    read -r ready _ </proc/uptime
    tell_console "times run=$run booted=$booted hook=$hook ready=$ready services=${spans:--}"
}

# One file for each run, for whoever ships logs; the newest 20 of a phase stay.
write_log() {
    log=$logs/$phase-$started_utc-$run.log
    # The last event reaches the journal through a pipe; on a busy machine that takes a moment.
    for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
        journalctl --quiet --all --utc --no-hostname --output=with-unit --since="@$started" \
            --identifier=bake-ami --identifier=bake-ami-step >"$log" || break
        if grep -q "event=phase-finished phase=$phase run=$run " "$log"; then break; fi
        sleep 0.1
    done
    set +f
    set -- "$logs/$phase"-*.log
    set -f
    if [ $# -le 20 ]; then return 0; fi
    while [ $# -gt 20 ]; do
        rm -f "$1"
        shift
    done
    tail -n 400 "$logs/runs" >"$logs/runs.new" && mv -f "$logs/runs.new" "$logs/runs"
}

# Uploads it where the launch asks for that; neither the boot nor this run waits for it.
ship_log() {
    if [ -e "$launch/log" ] || [ -e "$launch/log-urls" ]; then
        systemctl start --no-block "bake-ami-log@$phase-$started_utc-$run.service" || :
    fi
}
