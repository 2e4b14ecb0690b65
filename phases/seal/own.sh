# shellcheck shell=sh
# What bake-ami needed for the bake, and what it knew of this machine's launch. Its services, the marks of finished inits and
# the metadata address stay: they are what the image is. Patterns for bin/seal.

# shellcheck disable=SC2154 # the paths are the seal's
clear_directory "$logs" "$state/outcome" "$state/reboot" "$runtime/requests" "$runtime/taken" \
    "$runtime/results" "$runtime/outcome"
# shellcheck disable=SC2154
remove "$state/builder" "$state/job" "$state/job.d" "$state/*.new" "$home/current.new" "$home/bundles/.new.*" "$runtime/launch-services" \
    "$launch" "$runtime/channel-asked" "$state/channel" "$state/shipped" "$runtime/packages" '/run/systemd/system/bake-ami-*.target'
# All bundles but the one in use.
set +f
# shellcheck disable=SC2154
for old in "$home"/bundles/*; do
    if [ "$old" != "$bundle" ]; then remove "$old"; fi
done
set -f
