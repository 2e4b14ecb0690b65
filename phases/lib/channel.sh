# shellcheck shell=sh disable=SC2034,SC2154 # the paths and names are fetch's
# The steps by which bin/fetch gets and proves a bundle. Each returns 1 with the reason in why.
# What was taken last from each channel is in $state/channel: NAME SERIAL ETAG DIGEST, a line each.

# tell RESULT DIGEST SERIAL REASON
tell() {
    make_one_line "channel=$channel result=$1 digest=$2 serial=$3 reason=$4"
    printf '%s\n' "$one_line"
    tell_console "$one_line"
}

keep() {
    tell kept "$current" "$accepted_serial" "$1"
    exit 1
}

# Sets accepted_serial and accepted_etag: the newest that was taken from this channel, or -.
read_accepted() {
    accepted_serial=- accepted_etag=
    if [ ! -r "$state/channel" ]; then return 0; fi
    while read -r name serial etag digest; do
        if [ "$name" != "$channel" ]; then continue; fi
        accepted_serial=$serial
        # An object that has not changed is not asked for again, even where `apply` has brought another bundle since.
        if [ "$etag" != - ]; then accepted_etag=$etag; fi
    done <"$state/channel"
}

# Gets the object into $scratch/object; 3 when it is the one that was taken last.
get_object() {
    if [ -n "$bundles" ] && aws_session; then
        s3_get "${bundles%/}/$channel.bundle" "$scratch/object" "$accepted_etag"
    elif [ -r "$launch/channel-url" ]; then
        read -r url <"$launch/channel-url"
        url_get "$url" "$scratch/object" "$accepted_etag"
    elif [ -z "$bundles" ]; then
        why='the launch does not say where its bundles are (no tag bake-ami:bundles)'
        return 1
    else
        why="$why, and the launch gave it no URL"
        return 1
    fi
}

# Makes header, signature and archive of the object, byte for byte.
take_apart() {
    why='it is no bundle of a channel'
    head -c 8192 "$scratch/object" | LC_ALL=C sed -n \
        -e "1,6w $scratch/header" -e "7,\$w $scratch/signature" -e '/^-----END SSH SIGNATURE-----$/q' || return 1
    read -r line <"$scratch/header" || return 1
    [ "$line" = 'bake-ami-bundle 1' ] || return 1
    read -r line <"$scratch/signature" || return 1
    [ "$line" = '-----BEGIN SSH SIGNATURE-----' ] || return 1
    [ "$(tail -n 1 "$scratch/signature" | tr -d '\0')" = '-----END SSH SIGNATURE-----' ] || return 1
    size=$(cat "$scratch/header" "$scratch/signature" | wc -c)
    # After them an empty line.
    tail -c "+$((size + 2))" "$scratch/object" >"$scratch/archive" || {
        why="there is no room for a bundle below $home/bundles"
        return 1
    }
    rm -f "$scratch/object"
}

verify_signature() {
    if [ ! -s "$signers" ]; then
        why="this image has no key to verify bundles with ($signers)"
        return 1
    fi
    if ! command -v ssh-keygen >/dev/null; then
        why='there is no ssh-keygen here to verify bundles with'
        return 1
    fi
    if ssh-keygen -Y verify -f "$signers" -I bake-ami -n bake-ami-bundle -s "$scratch/signature" \
        <"$scratch/header" >/dev/null 2>&1; then
        return 0
    fi
    why='the signature does not fit what it signs: the bundle was changed after it was signed'
    # Does the key stand among the signers, whatever it signed?
    if ! ssh-keygen -Y find-principals -f "$signers" -s "$scratch/signature" >/dev/null 2>&1; then
        why='it is signed with a key that this image does not know'
    fi
    return 1
}

# Sets serial, digest, sha256 and size from the lines, which are proved by now.
read_head() {
    name='' serial='' digest='' sha256='' size=''
    while read -r key value; do
        case $key in
        channel) name=$value ;;
        serial) serial=$value ;;
        digest) digest=$value ;;
        sha256) sha256=$value ;;
        size) size=$value ;;
        esac
    done <"$scratch/header"
    case $digest in '' | *[!0-9a-f]*) why='its signed lines name no digest' && return 1 ;; esac
    case $serial in '' | *[!0-9]*) why='its signed lines name no serial' && return 1 ;; esac
    if [ "$name" != "$channel" ]; then
        why="it is of channel $name"
        return 1
    fi
    if [ "$accepted_serial" != - ] && [ "$serial" -lt "$accepted_serial" ]; then
        why="it is older (serial $serial) than what this machine took before"
        return 1
    fi
}

check_archive() {
    found=$(wc -c <"$scratch/archive")
    if [ "$found" -ne "$size" ]; then
        why="it is cut: its archive has $found bytes instead of $size"
        return 1
    fi
    found=$(sha256sum "$scratch/archive")
    if [ "${found%% *}" != "$sha256" ]; then
        why='its archive is not the one that was signed (another SHA-256)'
        return 1
    fi
}

# Records what was taken.
accept() {
    why="$state/channel cannot be written"
    {
        if [ -r "$state/channel" ]; then
            while read -r name rest; do
                if [ "$name" != "$channel" ]; then echo "$name $rest"; fi
            done <"$state/channel"
        fi
        echo "$channel $serial ${etag:--} $digest"
    } 2>/dev/null >"$state/channel.new" || return 1
    mv -f "$state/channel.new" "$state/channel"
}
