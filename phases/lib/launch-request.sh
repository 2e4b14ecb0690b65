# shellcheck shell=sh disable=SC2034,SC2154 # drive has the paths, and reads the result
# The services that the launch of this instance asks for beyond its image: the instance tag bake-ami:with, read from
# the metadata service (IMDSv2). Sourced by drive.

# Sets launch_services. Returns 1 when the metadata service does not answer within some 10 s.
read_launch_request() {
    launch_services=
    metadata=none
    if [ -r "$state/metadata" ]; then read -r metadata <"$state/metadata" || :; fi
    if [ "$metadata" = none ] || [ -e "$state/builder" ]; then return 0; fi
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        if ask_metadata; then return 0; fi
        sleep 1
    done
    return 1
}

ask_metadata() {
    token=$(curl --silent --fail --noproxy '*' --max-time 2 --request PUT \
        --header 'X-aws-ec2-metadata-token-ttl-seconds: 60' "$metadata/latest/api/token") || return 1
    # The token goes by standard input: arguments can be read by anyone on the machine.
    answer=$(echo "X-aws-ec2-metadata-token: $token" |
        curl --silent --noproxy '*' --max-time 2 --header @- --write-out '\n%{http_code}' \
            "$metadata/latest/meta-data/tags/instance/bake-ami:with") || return 1
    case ${answer##*
} in
    200) launch_services=${answer%
*} ;;
    # No such tag, or tags in metadata are off.
    404) ;;
    *) return 1 ;;
    esac
}
