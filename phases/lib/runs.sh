# shellcheck shell=sh disable=SC2034,SC2154 # drive has the paths and times, and goes by the results
# Which run of which phase this is, and the record of runs that bin/logs reads. Sourced by drive.

# Sets phase and run; limited_to when the request names services; resumed when this goes on after a reboot.
read_request() {
    limited_to='' resumed=''
    case $1 in
    boot | resume)
        phase=update run=boot-${boot%%-*}
        if [ -r "$state/reboot/run" ]; then
            read_reboot
            if [ "$1" = resume ] || [ "$resumed_phase" = update ]; then
                phase=$resumed_phase run=$resumed_run limited_to=$resumed_services
                started=${resumed_started% *} started_utc=${resumed_started#* }
                resumed="$phase $run"
            fi
        fi
        ;;
    *)
        phase=${1%%-*} run=${1#*-}
        first=1
        while read -r line; do
            if [ -z "$first" ]; then limited_to="$limited_to $line"; fi
            first=
        done <"$runtime/requests/$1"
        ;;
    esac
    # At a boot every service is updated, whatever the run before was limited to.
    if [ "$1" = boot ]; then limited_to=''; fi
}

read_reboot() {
    resumed_started="$started $started_utc"
    {
        read -r resumed_phase resumed_run resumed_services || :
        read -r resumed_started || :
    } <"$state/reboot/run"
}

# For the boot after this one: the run, what it is limited to, and when it began.
write_reboot() {
    printf '%s\n' "$phase $run $limited_to" "$started $started_utc" >"$state/reboot/run"
}

# record_run started|rebooting|ok|failed EPOCH UTC|-
# A line when a driver begins and one when it ends. On a full disk there is no record; the run goes on.
record_run() {
    { printf '%s\t%s\t%s\t%s\t%s\t%s\n' "$phase" "$run" "$2" "$started_utc" "$1" "$3" >>"$logs/runs"; } 2>/dev/null || :
}
