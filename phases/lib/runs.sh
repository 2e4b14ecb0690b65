# shellcheck shell=sh disable=SC2154 # phase, run, the times and the paths are drive's
# The record of phase runs, which bin/logs reads: a line when a driver begins, and one when it ends. Sourced by drive.

# record_run started|rebooting|ok|failed EPOCH [UTC-OF-THE-END]
# On a full disk there is no record; the run goes on.
record_run() {
    { printf '%s\t%s\t%s\t%s\t%s\t%s\n' "$phase" "$run" "$2" "$started_utc" "$1" "${3:--}" >>"$logs/runs"; } 2>/dev/null || :
}

# The newest 200 lines stay. By the shell alone it would be slow, and by a program it is only worth it seldom.
shorten_record() {
    size=0
    while read -r _; do size=$((size + 1)); done <"$logs/runs"
    if [ "$size" -gt 400 ]; then
        tail -n 200 "$logs/runs" >"$logs/runs.new" && mv -f "$logs/runs.new" "$logs/runs"
    fi
}
