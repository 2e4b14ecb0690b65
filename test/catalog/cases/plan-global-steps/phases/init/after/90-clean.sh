#!/bin/sh
set -eu
echo clean
