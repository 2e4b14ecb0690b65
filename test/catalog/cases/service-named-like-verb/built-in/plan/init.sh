#!/bin/sh
set -eu
echo p
