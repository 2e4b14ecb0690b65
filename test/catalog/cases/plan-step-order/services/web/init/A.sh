#!/bin/sh
set -eu
echo A
