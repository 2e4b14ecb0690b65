# shellcheck shell=sh disable=SC2154 # paths and the order are bin/job's
# Shows a job to a caller. Sourced by bin/job.

check_name() {
    case $1 in '' | *[!a-z0-9]*) refuse "not the name of a caller: $1" ;; esac
}

# That this caller is there; and which process is to be told of the end.
beat() {
    uptime
    put "$runtime/callers/$name" "$now $$"
}

# Standard output has the log's bytes and nothing else; standard error has a point now and then, by which a connection that
# is gone shows itself, and the last line.
job_follow() {
    name=$1 offset=$2
    check_name "$name"
    case $offset in '' | *[!0-9]*) refuse "not a number of bytes: $offset" ;; esac
    [ -e "$own/started" ] || refuse 'the job was not started'
    mkdir -p "$runtime/callers"
    trap '' PIPE
    trap : USR1
    beat
    if [ ! -e "$runtime/result" ]; then
        tail -c "+$((offset + 1))" -f "$log" &
        tail=$!
        trap 'kill "$tail" 2>/dev/null || :' EXIT
        # The signal of the end may come just before the wait: then the next look sees it.
        while [ ! -e "$runtime/result" ]; do
            sleep 3 >/dev/null 2>&1 &
            sleeper=$!
            wait "$sleeper" || :
            kill "$sleeper" 2>/dev/null || :
            beat
            printf . >&2 || exit 1
            kill -0 "$tail" 2>/dev/null || exit 1
        done
        kill "$tail" || :
        wait "$tail" || :
        trap - EXIT
    else
        tail -c "+$((offset + 1))" "$log"
    fi
    beat
    tell_end
}

# What the caller has not got by now it asks for again, from where it is: the size says how much there is.
tell_end() {
    {
        read -r status
        read -r size
        read -r sent
        read -r reason
        read -r why
    } <"$runtime/result"
    printf '\nend status=%s size=%s log=%s\nreason %s\nwhy %s\n' "$status" "$size" "$sent" "$reason" "$why" >&2
}

job_seen() {
    name=$1
    check_name "$name"
    rm -f "$runtime/callers/$name"
    count_callers
    echo "$callers"
}

# Those who were there a moment ago, in $callers.
count_callers() {
    callers=0
    uptime
    for file in "$runtime/callers/"*; do
        if [ ! -r "$file" ]; then continue; fi
        read -r at _ <"$file" || continue
        if [ $((now - at)) -lt "$lost_after" ]; then callers=$((callers + 1)); fi
    done
}
