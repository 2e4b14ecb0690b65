#!/bin/sh
# Everything that the tests need, then all tests. Arguments go to the test runner: npm test -- test/plan
set -eu
cd "$(dirname "$0")/.."
if [ "$(uname -s)" = Linux ]; then sh scripts/packages.sh test; fi
sh scripts/prepare.sh
exec npx vitest run "$@"
