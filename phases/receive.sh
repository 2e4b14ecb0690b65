#!/bin/sh
# Takes a bundle from standard input and makes it the current one. Its text is sent as a command, so it stands alone:
#   sh -c "$(cat receive.sh)" receive DIGEST [START-ARGUMENT...] <bundle.tar.gz
# With arguments for bin/start it starts a phase after that.
set -eu
umask 022
digest=$1
bundles=/opt/bake-ami/bundles
case $digest in
'' | *[!0-9a-f]*)
    echo "not a bundle digest: $digest" >&2
    exit 2
    ;;
esac
if [ -d "$bundles/$digest" ]; then
    cat >/dev/null
else
    mkdir -p "$bundles"
    new=$bundles/.new.$$
    trap 'rm -rf "$new"' EXIT
    trap 'exit 1' HUP INT TERM
    mkdir "$new"
    tar -xzmf - --no-same-owner -C "$new"
    read -r found <"$new/digest"
    if [ "$found" != "$digest" ]; then
        echo "the bundle is $found, not $digest" >&2
        exit 1
    fi
    # Another upload of the same bundle may have been quicker.
    if [ -d "$bundles/$digest" ]; then rm -rf "$new"; else mv -T "$new" "$bundles/$digest"; fi
    trap - EXIT
fi
/bin/sh "$bundles/$digest/bin/install" "$digest"
shift
if [ $# -gt 0 ]; then exec /bin/sh "$bundles/$digest/bin/start" "$@"; fi
