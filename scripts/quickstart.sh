#!/bin/sh
# From a fresh clone to a page served by a machine that was baked and launched on this computer.
set -eu
cd "$(dirname "$0")/.."
step() { printf '\n== %s\n' "$*"; }

step "system packages"
sh scripts/packages.sh run
step "dependencies and build"
sh scripts/prepare.sh
bake_ami() { node dist/cli.js "$@"; }
step "base image"
bake_ami local setup
step "bake: bake-ami hello-web --local"
image=$(bake_ami hello-web --local)
step "launch: bake-ami launch $image --local --open 80 --wait"
machine=$(bake_ami launch "$image" --local --open 80 --wait)
id=${machine%% *}
address=${machine##* }
port=$(bake_ami ls --local --json --quiet | node -e '
const lines = require("node:fs").readFileSync(0, "utf8").trim().split("\n");
const { value } = JSON.parse(lines.at(-1));
const machine = value.machines.find((m) => m.id === process.argv[1]);
console.log(machine.ports?.["80"] ?? 80);
' "$id")
url="http://$address:$port/"
step "the page at $url"
curl --silent --show-error --fail --max-time 20 "$url"
cat <<END

== done
$id runs from $image and serves $url
Try next (node dist/cli.js is bake-ami; \`npm link\` puts it on your PATH):
  node dist/cli.js launch hello-web --with hello-cert --local --wait    a service that the image lacks
  node dist/cli.js logs $id --local                  what its boot did
  node dist/cli.js ssh $id --local -- uptime         a look inside
  node dist/cli.js new my-service && node dist/cli.js my-service --local    a service of your own
  node dist/cli.js terminate $id --local             when you are done
END
