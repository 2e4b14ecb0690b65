#!/bin/sh
set -eu
echo update
