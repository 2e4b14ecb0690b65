#!/bin/sh
set -eu
curl --version | head -n 1
