#!/bin/sh
# Runs at every start of a machine. Put here what depends on the live machine: its name, its address, its data.
set -eu

echo "$BAKE_SERVICE: update says $BAKE_GREETING"
