#!/bin/sh
set -eu
echo u
