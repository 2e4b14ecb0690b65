#!/bin/sh
set -eu
echo l
