#!/bin/sh
set -eu
echo web
