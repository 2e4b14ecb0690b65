#!/bin/sh
set -eu
echo v
