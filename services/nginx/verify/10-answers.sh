#!/bin/sh
set -eu
systemctl is-active nginx.service
curl --silent --show-error --fail --noproxy '*' --max-time 5 --retry 5 --retry-connrefused --output /dev/null http://127.0.0.1/
