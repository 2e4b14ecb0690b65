#!/bin/sh
set -eu
echo i
