# shellcheck shell=sh disable=SC2154 # paths and the order are bin/job's
# What becomes of a job when its command is over. Sourced by bin/job.
# shellcheck source=phases/lib/job-follow.sh
. "$directory/lib/job-follow.sh"

# systemd tells how the command ended: SERVICE_RESULT, EXIT_CODE and EXIT_STATUS. (systemd.exec(5))
job_ended() {
    {
        read -r _
        read -r started_at
    } <"$own/started"
    uptime
    reason=-
    case ${EXIT_CODE-}/${EXIT_STATUS-} in
    exited/*) status=$EXIT_STATUS ;;
    killed/* | dumped/*)
        status=$((128 + $(signal_number "$EXIT_STATUS")))
        reason="signal $EXIT_STATUS"
        ;;
    *) status=125 reason="systemd could not run it: ${SERVICE_RESULT-}" ;;
    esac
    if [ "${SERVICE_RESULT-}" = timeout ] && [ $((now - started_at)) -ge "$max" ]; then
        status=124 reason="it took longer than $max s"
    elif [ "${SERVICE_RESULT-}" = oom-kill ]; then
        reason='the machine ran out of memory'
    elif [ -r "$runtime/stopped" ]; then
        read -r reason <"$runtime/stopped"
        if [ "$status" = 0 ]; then status=143; fi
    elif [ "$(systemctl is-system-running)" = stopping ]; then
        # Whoever ends with 0 because it was told to end has not done what it was for.
        if [ "$status" = 0 ]; then status=143; fi
        reason='the machine was shut down while it ran'
    fi
    # In memory first: the disk may be full, by this very job.
    put "$runtime/outcome" "$status" "$((now - started_at))" "$reason" || :
    put "$own/outcome" "$status" "$((now - started_at))" "$reason" || :
    systemctl stop --no-block "$ending"
}

# The same on all architectures that EC2 has.
signal_number() {
    case $1 in
    HUP) echo 1 ;; INT) echo 2 ;; QUIT) echo 3 ;; ILL) echo 4 ;; TRAP) echo 5 ;; ABRT) echo 6 ;; BUS) echo 7 ;;
    FPE) echo 8 ;; KILL) echo 9 ;; USR1) echo 10 ;; SEGV) echo 11 ;; USR2) echo 12 ;; PIPE) echo 13 ;;
    ALRM) echo 14 ;; TERM) echo 15 ;; XCPU) echo 24 ;; XFSZ) echo 25 ;; SYS) echo 31 ;; *) echo 127 ;;
    esac
}

job_finish() {
    exec 7>"$runtime/finish.lock"
    flock 7
    if [ ! -e "$own/result" ] && [ ! -e "$runtime/result" ]; then
        send_all
    elif [ ! -e "$runtime/result" ]; then
        # Of an earlier boot.
        cp "$own/result" "$runtime/result"
    fi
    wake_callers
    if [ -n "$keep" ] || [ "$(systemctl is-system-running)" = stopping ]; then return 0; fi
    wait_for_callers
    systemctl poweroff --no-block
}

# Sends log and status, in this order: who finds the status may rely on the log.
send_all() {
    outcome=$runtime/outcome
    if [ ! -r "$outcome" ]; then outcome=$own/outcome; fi
    # Not even that when the disk was full: then nothing is known.
    status=255 took=- reason='it is not known how the job ended'
    if [ -r "$outcome" ]; then
        {
            read -r status
            read -r took
            read -r reason
        } <"$outcome"
    fi
    {
        read -r _
        read -r _
        read -r started_epoch
    } <"$own/started"
    size=$(wc -c <"$log")
    write_json
    sent=none why=-
    if [ -n "$log_to$url_log" ]; then
        open_way
        sent=ok
        if ! send "$log" job.log "$url_log" || ! send "$runtime/job.json" job.json "$url_json"; then sent=failed; fi
        if [ "$sent" = ok ]; then why=-; fi
        : "${why:=unknown}"
    fi
    put "$runtime/result" "$status" "$size" "$sent" "$reason" "$why"
    put "$own/result" "$status" "$size" "$sent" "$reason" "$why" || :
    if [ "$sent" = failed ]; then reason="$reason; log: $why"; fi
    tell_console "result=finished status=$status log=$sent reason=$reason"
}

# The facts are the caller's, as members of a JSON object; what is added needs no quoting but for the reason.
write_json() {
    text=$(printf %s "$reason" | tr -d '\000-\037' | sed 's/[\\"]/\\&/g')
    {
        printf '{%s,"status":%s,"reason":%s,' "$facts" "$status" "$(if [ "$text" = - ]; then echo null; else echo "\"$text\""; fi)"
        printf '"startedAt":"%s","endedAt":"%s",' "$(date -u -d "@$started_epoch" +%Y-%m-%dT%H:%M:%SZ)" \
            "$(date -u +%Y-%m-%dT%H:%M:%SZ)"
        printf '"seconds":%s,"logBytes":%s}\n' "$(if [ "$took" = - ]; then echo null; else echo "$took"; fi)" "$size"
    } >"$runtime/job.json"
}

# What the way to the bucket needs: where its pieces are, the metadata service, and how long to try in all.
open_way() {
    # shellcheck disable=SC2034 # of aws.sh
    bundle=$directory state=/var/lib/bake-ami
    metadata=
    if [ ! -r "$state/metadata" ]; then metadata=http://169.254.169.254; fi
    # An image that was not baked says nothing of the metadata service; a large log takes its time.
    aws_patience=$((120 + size / 65536))
    if [ "$aws_patience" -gt 1200 ]; then aws_patience=1200; fi
    # shellcheck source=phases/lib/aws.sh
    . "$directory/lib/aws.sh"
}

# send FILE NAME URL: by a presigned URL where there is one, else by the machine's role. Sets why when it fails.
send() {
    if [ -n "$3" ]; then url_put "$1" "$3"; else s3_put "$1" "$log_to$2"; fi
}

wake_callers() {
    uptime
    for file in "$runtime/callers/"*; do
        if [ ! -r "$file" ]; then continue; fi
        read -r at pid <"$file" || continue
        # Long after it was written the number may be another program's.
        if [ "$pid" != 0 ] && [ $((now - at)) -lt "$lost_after" ]; then kill -USR1 "$pid" 2>/dev/null || :; fi
    done
}

# Until those who follow have the end of the log. One whose connection broke may be on its way back.
wait_for_callers() {
    uptime
    until=$((now + wait_at_most))
    while :; do
        count_callers
        if [ "$callers" = 0 ] || [ "$now" -ge "$until" ]; then return 0; fi
        sleep 0.2
    done
}
