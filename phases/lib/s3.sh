# shellcheck shell=sh disable=SC2034,SC2154 # aws.sh, which sources this, has the session and the transfer
# S3 by the machine's role and by presigned URLs; aws.sh says what is here.

s3_get() {
    s3_transfer "$1" "$2" '' "${3-}"
}

s3_put() {
    s3_transfer "$2" - "upload-file = \"$1\"
header = \"Content-Type: text/plain; charset=utf-8\""
}

# s3_transfer S3URL FILE CONFIG [ETAG]
s3_transfer() {
    s3_bucket=${1#s3://}
    s3_key=${s3_bucket#*/} s3_bucket=${s3_bucket%%/*}
    case $1 in
    s3://?*/?*) ;;
    *)
        why="this is no address of an S3 object: $1"
        return 1
        ;;
    esac
    case $s3_key in
    *[!A-Za-z0-9._~/-]*) s3_key=$(printf '%s\n' "$s3_key" | LC_ALL=C awk -f "$bundle/lib/encode.awk") ;;
    esac
    aws_session || return 1
    s3_region=$aws_region
    for s3_try in first second; do
        aws_signed s3 "$s3_region"
        s3_address
        url_transfer "$s3_url" "$2" "$aws_signature
$3" "${4-}" && return 0
        s3_result=$?
        # A bucket of another region says which.
        case $s3_try/$aws_status in first/301 | first/307 | first/400) ;; *) return "$s3_result" ;; esac
        if [ -z "$aws_home" ] || [ "$aws_home" = "$s3_region" ]; then return "$s3_result"; fi
        s3_region=$aws_home
    done
    return "$s3_result"
}

# Sets s3_url. A certificate of Amazon's fits one name before s3; a bucket with dots in its name goes into the path.
s3_address() {
    aws_suffix
    if [ -n "$aws_endpoint" ]; then
        s3_url=${aws_endpoint%/}/$s3_bucket/$s3_key
        return 0
    fi
    case $s3_bucket in
    *.*) s3_url=https://s3.$s3_region.$aws_domain/$s3_bucket/$s3_key ;;
    *) s3_url=https://$s3_bucket.s3.$s3_region.$aws_domain/$s3_key ;;
    esac
}

url_get() {
    url_transfer "$1" "$2" '' "${3-}"
}

url_put() {
    url_transfer "$2" - "upload-file = \"$1\""
}

# url_transfer URL FILE CONFIG [ETAG]
url_transfer() {
    url_config="url = \"$1\"
$3"
    case $3 in *upload-file*)
        url_file=${3#*upload-file = \"}
        url_file=${url_file%%\"*}
        if [ ! -r "$url_file" ]; then
            why="there is no file $url_file"
            return 1
        fi
        ;;
    esac
    if [ -n "${4-}" ]; then
        url_config="$url_config
header = \"If-None-Match: \\\"$4\\\"\""
    fi
    aws_name_host "$1"
    aws_transfer "$url_config" "$2" || {
        if [ "$2" != - ]; then rm -f "$2"; fi
        return 1
    }
    etag=${etag#\"} etag=${etag%\"}
    case $aws_status in
    2??) return 0 ;;
    304)
        rm -f "$2"
        return 3
        ;;
    esac
    if [ "$2" != - ]; then
        aws_body=
        if [ -r "$2" ]; then aws_body=$(head -c 4000 "$2" | tr -d '\0'); fi
        rm -f "$2"
    fi
    url_why
    return 1
}

# What S3's answer means, in why.
url_why() {
    url_code='' url_message=''
    case $aws_body in *'<Code>'*)
        url_code=${aws_body#*<Code>}
        url_code=${url_code%%</Code>*}
        ;;
    esac
    case $aws_body in *'<Message>'*)
        url_message=${aws_body#*<Message>}
        url_message=${url_message%%</Message>*}
        ;;
    esac
    case $aws_status/$url_code/$url_message in
    *'Request has expired'*) why='the URL has expired' ;;
    */ExpiredToken/*) why='the URL, or the role'"'"'s keys, have expired' ;;
    */NoSuchBucket/*) why='there is no such bucket' ;;
    404/*) why='gone: there is no such object' ;;
    403/SignatureDoesNotMatch/*) why='access denied: the signature does not match' ;;
    403/*) why='access denied' ;;
    *) why="$aws_host answers with status $aws_status${url_code:+ $url_code}${url_message:+: $url_message}" ;;
    esac
}
