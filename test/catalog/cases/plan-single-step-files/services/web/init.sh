#!/bin/sh
set -eu
echo init
