#!/bin/sh
set -eu
echo zlib
