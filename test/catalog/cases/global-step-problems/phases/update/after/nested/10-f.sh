#!/bin/sh
set -eu
echo f
