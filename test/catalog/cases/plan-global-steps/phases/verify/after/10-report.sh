#!/bin/sh
set -eu
echo report
