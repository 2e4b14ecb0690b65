#!/bin/sh
set -eu
echo two
