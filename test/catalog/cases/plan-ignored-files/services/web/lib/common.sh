#!/bin/sh
set -eu
echo lib
