#!/bin/sh
set -eu
echo b
