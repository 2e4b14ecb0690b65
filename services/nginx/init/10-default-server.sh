#!/bin/sh
# One default server with one root on every distribution. Debian's default site and Amazon Linux's own server block have
# other roots, and two default servers on a port keep nginx from starting.
set -eu
umask 022
rm -f /etc/nginx/sites-enabled/default
sed -i 's/^\([[:space:]]*listen .*\) default_server/\1/' /etc/nginx/nginx.conf
{
    echo 'server {'
    echo '    listen 80 default_server;'
    # Without IPv6 in the kernel, nginx would not start.
    if [ -e /proc/net/if_inet6 ]; then echo '    listen [::]:80 default_server;'; fi
    echo '    server_name _;'
    echo '    root /var/www/html;'
    echo '}'
} >/etc/nginx/conf.d/00-default.conf
mkdir -p /var/www/html
if [ ! -e /var/www/html/index.html ]; then cp "$BAKE_SERVICE_DIR/files/index.html" /var/www/html/; fi
if command -v restorecon >/dev/null; then restorecon -R /var/www; fi
nginx -t
# Debian's package has started it already.
systemctl try-reload-or-restart nginx.service
