#!/bin/sh
set -eu
echo verify
