# shellcheck shell=sh
# The instance metadata service, version 2, by curl. Sourced by programs that set $state.
# https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html
# The token goes by standard input: arguments can be read by anyone on the machine.

# Sets metadata: the address, or none.
find_metadata() {
    metadata=none
    # shellcheck disable=SC2154 # the paths are the program's
    if [ -r "$state/metadata" ]; then read -r metadata <"$state/metadata" || :; fi
}

# Sets imds_token, or returns 1 with why.
imds_connect() {
    why=
    imds_token=
    if [ -z "${metadata-}" ]; then find_metadata; fi
    if [ "$metadata" = none ]; then
        why='this machine has no metadata service'
        return 1
    fi
    imds_answer=$(curl --silent --fail --globoff --noproxy '*' --max-time 2 --request PUT --write-out '\n%{http_code}' \
        --header 'X-aws-ec2-metadata-token-ttl-seconds: 300' "$metadata/latest/api/token") || {
        why="the metadata service at $metadata does not answer"
        case $imds_answer in
        *403) why='the metadata service of this machine is switched off' ;;
        *[45]??) why="the metadata service at $metadata gives no token (status ${imds_answer##*[!0-9]})" ;;
        esac
        return 1
    }
    imds_token=${imds_answer%
*}
}

# imds_fetch PATH FILE [PATH FILE...], after imds_connect
# Gets all of them by one process. Sets imds_codes to their HTTP statuses, in order; what is not there leaves no file.
# Returns 1 when one was not answered.
imds_fetch() {
    imds_config="header = \"X-aws-ec2-metadata-token: $imds_token\""
    while [ $# -gt 0 ]; do
        imds_config="$imds_config
url = \"$metadata/latest/$1\"
output = \"$2\""
        shift 2
    done
    # Of several transfers curl's exit status is that of the last.
    imds_codes=$(echo "$imds_config" | curl --silent --fail --globoff --noproxy '*' --max-time 5 --write-out '%{http_code} ' --config -) || :
    for imds_code in ${imds_codes:-000}; do
        case $imds_code in
        200 | 404) ;;
        *)
            # shellcheck disable=SC2034 # for the program
            why="the metadata service at $metadata does not answer (status $imds_code)"
            return 1
            ;;
        esac
    done
}

# imds PATH
# Prints what is at PATH below latest/, such as meta-data/instance-id. Returns 1 when there is nothing.
imds() {
    if [ -z "${imds_token-}" ]; then imds_connect || return 1; fi
    echo "header = \"X-aws-ec2-metadata-token: $imds_token\"" |
        curl --silent --fail --globoff --noproxy '*' --max-time 5 --config - "$metadata/latest/$1" || return 1
}
