#!/bin/sh
set -eu
echo e
