#!/bin/sh
set -eu
echo shared
