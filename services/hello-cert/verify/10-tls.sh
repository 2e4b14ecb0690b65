#!/bin/sh
# A client that trusts this certificate alone gets a page under the instance's own name.
set -eu
# shellcheck source=services/hello-cert/files/name.sh
. "$BAKE_SERVICE_DIR/files/name.sh"
curl --silent --show-error --fail --noproxy '*' --max-time 5 --retry 5 --retry-connrefused --output /dev/null \
    --cacert "$certificate" --resolve "$name:443:127.0.0.1" "https://$name/"
openssl x509 -in "$certificate" -noout -subject -enddate
