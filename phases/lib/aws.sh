# shellcheck shell=sh disable=SC2034 # the reason in $why is for the programs
# Parameter Store and S3 with the role of this machine, or by presigned URLs; by curl alone, which signs requests itself.
# Sourced by programs that set $bundle and $state.
#
#   imds PATH                      prints what the metadata service has below latest/; 1 when it is absent
#   ssm_parameter NAME             prints a parameter of Parameter Store, decrypted and exactly as it is
#   ssm_get NAME                   the same into $ssm_value
#   s3_get S3URL FILE [ETAG]       0 got it ($etag is its ETag), 3 still the one of ETAG
#   s3_put FILE S3URL
#   url_get URL FILE [ETAG]        the same by presigned URL
#   url_put FILE URL
#
# All return 1 with the reason in $why, and FILE is then not there. Keys, tokens and presigned URLs go to curl by its
# standard input: arguments can be read by anyone on the machine. A request is tried again after trouble of the network or
# the service, until $aws_patience seconds (60 unless set) are over.
# The endpoint is $AWS_ENDPOINT_URL where that is set, else what the metadata service names (the local cloud's does, EC2's does
# not), else the service's own in the machine's region.

# shellcheck source=phases/lib/imds.sh
. "${bundle:?}/lib/imds.sh"
# shellcheck source=phases/lib/s3.sh
. "$bundle/lib/s3.sh"
aws_until='' aws_region='' aws_newline='
'

aws_clock() {
    read -r aws_now _ </proc/uptime
    aws_now=${aws_now%.*}
}

# Sets aws_region, aws_key, aws_secret and aws_token, and keeps them for ten minutes: those of a role live for hours.
aws_session() {
    aws_clock
    if [ -n "$aws_until" ] && [ "$aws_now" -lt "$aws_until" ]; then return 0; fi
    for aws_try in 1 2 3; do
        if aws_ask_session; then return 0; fi
        # On a busy machine it may be slow to answer; that it has no role is an answer.
        case $aws_try/$why in 3/* | *'no role'* | *'no metadata'* | *'switched off') return 1 ;; esac
        sleep "$aws_try"
    done
}

aws_ask_session() {
    imds_connect || return 1
    # Each answer is followed by its status in a line of its own. Without a role there is none of the second.
    aws_answer=$(echo "header = \"X-aws-ec2-metadata-token: $imds_token\"" |
        curl --silent --fail --globoff --noproxy '*' --max-time 5 --write-out '\n%{http_code}\n' --config - \
            "$metadata/latest/meta-data/placement/region" "$metadata/latest/meta-data/services/endpoint" \
            "$metadata/latest/meta-data/iam/security-credentials/") || :
    {
        read -r aws_region || :
        read -r aws_codes || :
        read -r aws_endpoint || :
        read -r aws_endpoint_code || :
        read -r aws_role || :
        read -r aws_role_code || :
    } <<END
$aws_answer
END
    if [ "$aws_codes" != 200 ]; then
        why="the metadata service at $metadata does not tell the region"
        return 1
    fi
    if [ "$aws_endpoint_code" != 200 ]; then aws_endpoint=; fi
    aws_endpoint=${AWS_ENDPOINT_URL:-$aws_endpoint}
    case $aws_role_code in
    200) ;;
    404)
        why='this machine has no role (no instance profile)'
        return 1
        ;;
    *)
        why="the metadata service at $metadata does not tell the role"
        return 1
        ;;
    esac
    aws_answer=$(imds "meta-data/iam/security-credentials/$aws_role" |
        LC_ALL=C awk -v keys='AccessKeyId SecretAccessKey Token Code' -f "$bundle/lib/json.awk") || aws_answer=
    {
        read -r aws_key || :
        read -r aws_secret || :
        read -r aws_token || :
        read -r aws_codes || :
    } <<END
$aws_answer
END
    if [ -z "$aws_key" ] || [ -z "$aws_secret" ]; then
        why="the role $aws_role gives this machine no keys (${aws_codes:-no answer})"
        return 1
    fi
    aws_until=$((aws_now + 600))
}

# aws_signed SERVICE REGION: sets aws_signature to the lines of curl's configuration that sign a request.
aws_signed() {
    aws_signature="aws-sigv4 = \"aws:amz:$2:$1\"
user = \"$aws_key:$aws_secret\""
    # Not every curl that signs adds this, which S3 insists on (7.88 does not); where it is given, all go by it.
    if [ "$1" = s3 ]; then
        aws_signature="$aws_signature
header = \"x-amz-content-sha256: UNSIGNED-PAYLOAD\""
    fi
    if [ -n "$aws_token" ]; then
        aws_signature="$aws_signature
header = \"X-Amz-Security-Token: $aws_token\""
    fi
}

# aws_transfer CONFIG FILE: one request, tried again as said above. The body of the answer is in FILE (or in aws_body where
# FILE is -). Sets aws_status, etag, aws_home (the region that the bucket is in, where S3 says so); 1 with why for no answer.
aws_transfer() {
    aws_clock
    aws_end=$((aws_now + ${aws_patience:-60})) aws_pause=1
    while :; do
        aws_clock
        aws_left=$((aws_end - aws_now))
        if [ "$aws_left" -lt 1 ]; then aws_left=1; fi
        aws_answer=$(printf '%s\n' "$1" | curl --silent --globoff --config - --connect-timeout 10 --max-time "$aws_left" --output "$2" \
            --write-out '\n%{http_code}|%header{etag}|%header{x-amz-bucket-region}|%{exitcode}|%{errormsg}') || :
        # shellcheck disable=SC2034 # for the callers
        aws_body=${aws_answer%"$aws_newline"*}
        IFS='|' read -r aws_status etag aws_home aws_exit aws_error <<END
${aws_answer##*"$aws_newline"}
END
        # It could not be written here, or read: that does not get better.
        case $aws_exit in
        23 | 26)
            why="a file of this machine: $aws_error"
            if [ "$aws_exit" = 23 ]; then why='there is no room for it on this machine'; fi
            return 1
            ;;
        esac
        case $aws_status/$aws_body in
        000/* | /*)
            why="no answer from ${aws_host}: ${aws_error:-curl failed}"
            ;;
        400/*ThrottlingException* | 429/* | 5??/*) why="$aws_host answers with status $aws_status" ;;
        *)
            if [ -z "$aws_error" ]; then return 0; fi
            why="the answer of $aws_host broke off: $aws_error"
            ;;
        esac
        aws_clock
        if [ $((aws_now + aws_pause)) -ge "$aws_end" ]; then return 1; fi
        sleep "$aws_pause"
        aws_pause=$((aws_pause * 2))
    done
}

# Sets aws_domain.
aws_suffix() {
    aws_domain=amazonaws.com
    case $aws_region in cn-*) aws_domain=amazonaws.com.cn ;; esac
}

# Sets aws_host, for messages: a URL may have a signature in it.
aws_name_host() {
    aws_host=${1#*://}
    aws_host=${aws_host%%/*}
}

ssm_parameter() {
    ssm_get "$1" || return 1
    printf '%s' "$ssm_value"
}

ssm_get() {
    case $1 in
    '' | *[!A-Za-z0-9_./:-]*)
        why='this is no name of a parameter'
        return 1
        ;;
    esac
    aws_session || return 1
    aws_signed ssm "$aws_region"
    aws_suffix
    aws_url=${aws_endpoint:-https://ssm.$aws_region.$aws_domain}
    aws_name_host "$aws_url"
    aws_transfer "$aws_signature
url = \"${aws_url%/}/\"
header = \"Content-Type: application/x-amz-json-1.1\"
header = \"X-Amz-Target: AmazonSSM.GetParameter\"
data = \"{\\\"Name\\\":\\\"$1\\\",\\\"WithDecryption\\\":true}\"" - || return 1
    if [ "$aws_status" = 200 ]; then
        # The dot keeps the line ends that a substitution would take off.
        ssm_value=$(printf '%s' "$aws_body" | LC_ALL=C awk -v keys=Value -f "$bundle/lib/json.awk" && echo .) || {
            why='the answer of Parameter Store cannot be read'
            return 1
        }
        ssm_value=${ssm_value%.}
        return 0
    fi
    aws_answer=$(printf '%s' "$aws_body" | LC_ALL=C awk -v keys='__type message Message' -f "$bundle/lib/json.awk") || :
    aws_kind=${aws_answer%%"$aws_newline"*}
    aws_answer=${aws_answer#*"$aws_newline"}
    case ${aws_kind##*#} in
    ParameterNotFound | ParameterVersionNotFound) why='no such parameter' ;;
    AccessDenied*) why="access denied (the machine's role may not ssm:GetParameter it, or not kms:Decrypt it)" ;;
    *)
        aws_answer=$(echo "$aws_answer" | tr '\n' ' ')
        why="${aws_kind##*#}: $aws_answer"
        ;;
    esac
    return 1
}
