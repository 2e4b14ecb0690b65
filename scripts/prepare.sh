#!/bin/sh
# Makes dist/ from a fresh clone: dependencies, then the build. Does nothing that is done already.
set -eu
cd "$(dirname "$0")/.."
installed=node_modules/.package-lock.json
if [ ! -e "$installed" ] || [ -n "$(find package-lock.json -newer "$installed")" ]; then
    npm ci --no-audit --no-fund --loglevel=error
fi
npm run --silent build
