#!/bin/sh
set -eu
echo c
