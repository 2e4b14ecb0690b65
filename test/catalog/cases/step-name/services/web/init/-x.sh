#!/bin/sh
set -eu
echo x
