#!/bin/sh
set -eu
echo mirror
