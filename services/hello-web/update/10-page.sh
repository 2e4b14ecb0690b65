#!/bin/sh
# Writes the page anew at every boot: what is in it is known only to the running instance.
set -eu
umask 022
# shellcheck source=services/hello-web/files/metadata.sh
. "$BAKE_SERVICE_DIR/files/metadata.sh"
instance=$(from_metadata instance-id)
image=$(from_metadata ami-id)
booted=$(awk '$1 == "btime" { print $2 }' /proc/stat)
booted=$(date -u -d "@$booted" +%Y-%m-%dT%H:%M:%SZ)
read -r boot </proc/sys/kernel/random/boot_id
page=/var/www/html/index.html
cat >"$page.new" <<END
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Hello</title>
<h1>Hello from bake-ami</h1>
<dl>
<dt>Instance</dt><dd>$instance</dd>
<dt>Image</dt><dd>$image</dd>
<dt>Booted</dt><dd>$booted</dd>
</dl>
<!-- boot $boot -->
</html>
END
# In one move: nobody is ever served half a page.
mv -f "$page.new" "$page"
echo "instance $instance of image $image, booted $booted"
