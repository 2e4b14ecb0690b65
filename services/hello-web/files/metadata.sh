# shellcheck shell=sh
# from_metadata NAME: one item of the instance's metadata (IMDSv2), or a word that there is none.

metadata_address=none
if [ -r /var/lib/bake-ami/metadata ]; then read -r metadata_address </var/lib/bake-ami/metadata; fi
metadata_token=

ask_metadata() {
    curl --silent --show-error --fail --noproxy '*' --max-time 5 "$@"
}

from_metadata() {
    if [ "$metadata_address" = none ]; then
        echo '(no metadata service)'
        return 0
    fi
    if [ -z "$metadata_token" ]; then
        metadata_token=$(ask_metadata --request PUT --header 'X-aws-ec2-metadata-token-ttl-seconds: 60' \
            "$metadata_address/latest/api/token") || return 1
    fi
    # By standard input: arguments can be read by anyone on the machine.
    echo "X-aws-ec2-metadata-token: $metadata_token" |
        ask_metadata --header @- "$metadata_address/latest/meta-data/$1"
}
