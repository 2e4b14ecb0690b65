#!/bin/sh
# Proves that the service works, for example by asking it something. A status other than 0 says that it does not.
set -eu

[ -n "$BAKE_GREETING" ]
