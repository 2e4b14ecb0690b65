#!/bin/sh
# Types, lint, format and shell lint in one command.
set -eu
cd "$(dirname "$0")/.."
npx tsc --noEmit
npx eslint .
npx prettier --check --log-level=warn .
# The cases of the catalog are wrong on purpose.
git ls-files ':!test/catalog/cases' '*.sh' 'phases/bin/*' 'phases/resources/*' 'services/*' .ci/run | while read -r file; do
    if [ -f "$file" ] && head -n 1 "$file" | grep -q '^#!.*sh$'; then echo "$file"; fi
done | xargs shellcheck -x
echo "types, lint, format and shell are clean"
