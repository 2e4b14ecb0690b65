#!/bin/sh
set -eu
echo d
