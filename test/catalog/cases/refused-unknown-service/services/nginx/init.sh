#!/bin/sh
set -eu
echo n
