# shellcheck shell=sh disable=SC2034 # used by the programs that source this
# Where things are on the machine.
state=/var/lib/bake-ami
runtime=/run/bake-ami
logs=/var/log/bake-ami
# What the launch of this instance asks for; for root alone.
launch=$runtime/launch
unit_directory=/usr/local/lib/systemd/system
