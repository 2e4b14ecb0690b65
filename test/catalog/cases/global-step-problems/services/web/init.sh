#!/bin/sh
set -eu
echo w
