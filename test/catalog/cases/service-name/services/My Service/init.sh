#!/bin/sh
set -eu
echo m
