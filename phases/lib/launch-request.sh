# shellcheck shell=sh disable=SC2034,SC2154 # the programs that source this have the paths, and read the results
# What the launch of this instance asks for beyond its image. The instance's tags name services and the channel, and are
# read at each update; the user data has values, and is read once in a boot, into $runtime/launch, for root alone:
# env/SERVICE, secrets/SERVICE, log, log-urls, channel-url (see launch-request.awk), index, instance-id.

# Sets launch_services, channel and bundles. Returns 1 with launch_why when the request is not to be had, after some 10 s
# when the metadata service does not answer, or cannot be used.
read_launch_request() {
    launch_services='' channel='' bundles='' launch_why=''
    find_metadata
    if [ "$metadata" = none ] || [ -e "$state/builder" ]; then return 0; fi
    for try in 1 2 3 4 5 6 7 8 9 10; do
        if ask_metadata; then break; fi
        case $try/$why in
        10/* | *'switched off')
            launch_why=$why
            return 1
            ;;
        esac
        sleep 1
    done
    if [ -r "$launch/problem" ]; then
        read -r launch_why <"$launch/problem" || :
        return 1
    fi
    find_strangers
}

# One process for the token, and one for all documents.
ask_metadata() {
    imds_connect || return 1
    set -- meta-data/tags/instance/bake-ami:with "$launch/with" meta-data/tags/instance/bake-ami:channel "$launch/channel" \
        meta-data/tags/instance/bake-ami:bundles "$launch/bundles"
    if [ ! -e "$launch/is-read" ]; then
        if [ ! -d "$launch" ]; then
            # Presigned URLs and all values of parameters are in here.
            mkdir -m 0700 "$launch"
            mkdir "$launch/env" "$launch/secrets"
        fi
        set -- "$@" meta-data/instance-id "$launch/instance-id" meta-data/ami-launch-index "$launch/index" \
            user-data "$launch/user-data"
    fi
    imds_fetch "$@" || return 1
    # shellcheck disable=SC2086 # words on purpose
    set -- $imds_codes
    # No such tag, or tags in metadata are off.
    if [ "$1" = 200 ]; then read -r launch_services <"$launch/with" || :; fi
    if [ "$2" = 200 ]; then read -r channel <"$launch/channel" || :; fi
    if [ "$3" = 200 ]; then read -r bundles <"$launch/bundles" || :; fi
    if [ $# -gt 3 ]; then
        if [ "$6" = 200 ]; then take_user_data; fi
        : >"$launch/is-read"
    fi
}

take_user_data() {
    problem='it cannot be read'
    if gzip -dcf "$launch/user-data" >"$launch/unpacked" 2>/dev/null; then
        problem=$(LC_ALL=C awk -v launch="$launch" -f "$bundle/lib/launch-request.awk" "$launch/unpacked") || :
        if [ -n "$problem" ]; then problem="the launch request in the user data cannot be used: $problem"; fi
    else
        problem='the user data is a damaged gzip archive'
    fi
    rm -f "$launch/user-data" "$launch/unpacked"
    if [ -n "$problem" ]; then echo "$problem" >"$launch/problem"; fi
}

# A value for what this machine's bundle does not have would be lost in silence.
find_strangers() {
    set +f
    set -- "$launch"/env/* "$launch"/secrets/*
    set -f
    for each in "$@"; do
        case $each in *'*') continue ;; esac
        if [ ! -d "$bundle/services/${each##*/}" ]; then
            launch_why="it gives a parameter to ${each##*/}, which is no service of this machine's bundle"
            return 1
        fi
    done
}
