#!/bin/sh
# Takes what the machine's channel has, if it is newer, and runs a phase or two with it. Its text is sent through Run Command as
# root, after a line that sets its arguments, so it stands alone:
#   deploy RUN SECONDS update|verify SERVICE...
# `verify` runs update and then verify. Sending it again for the same run starts nothing twice.
set -eu
run=$1 seconds=$2 last=$3
shift 3
programs=/opt/bake-ami/current/bin

refuse() {
    echo "bake-ami: $1" >&2
    exit 1
}

[ -x "$programs/start" ] || refuse 'this machine was not baked by bake-ami'
[ -x "$programs/fetch" ] || refuse 'this machine has a bake-ami that knows no channels; bake its image again'
"$programs/fetch" || refuse 'no new bundle was taken, so nothing is changed'

# The link may lead to another bundle from here on.
end=$(($(date +%s) + seconds))
for phase in update verify; do
    "$programs/start" "$phase" "$run" "$@" >/dev/null
    while :; do
        state=$("$programs/status" "$phase")
        case $state in
        *"run=$run"*) ;;
        *) state=waiting ;;
        esac
        case $state in
        state=finished*) break ;;
        state=idle*) refuse "$phase was ended before it was over" ;;
        esac
        [ "$(date +%s)" -lt "$end" ] || refuse "$phase was not over after $seconds s"
        sleep 1
    done
    case $state in
    *result=ok*) echo "bake-ami: $phase ok" ;;
    *)
        failed=${state#*failed=}
        refuse "$phase failed: ${failed%%
*}"
        ;;
    esac
    if [ "$phase" = "$last" ]; then exit 0; fi
done
