#!/bin/sh
set -eu
echo proxy
