#!/bin/sh
set -eu
echo mount
