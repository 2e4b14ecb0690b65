# shellcheck shell=sh disable=SC2034 # for whoever sources it
# Sets name to the instance's own, and where its certificate is.
read -r name </proc/sys/kernel/hostname
certificate=/etc/nginx/hello-cert.crt
key=/etc/nginx/hello-cert.key
