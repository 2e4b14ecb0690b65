#!/bin/sh
# Runs once, as root, while the image is baked. Put here what every machine from the image has in common.
set -eu

echo "$BAKE_SERVICE: init says $BAKE_GREETING"
