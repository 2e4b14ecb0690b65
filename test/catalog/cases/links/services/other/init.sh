#!/bin/sh
set -eu
echo o
