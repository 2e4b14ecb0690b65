#!/bin/sh
# Makes the key on the instance itself, so that no image ever holds one. Changes nothing while the certificate is still
# for this name and good for a month.
set -eu
# shellcheck source=services/hello-cert/files/name.sh
. "$BAKE_SERVICE_DIR/files/name.sh"
site=/etc/nginx/conf.d/hello-cert.conf
if [ -e "$site" ] && [ -e "$key" ] && [ -e "$certificate" ]; then
    # 30 days, in seconds. What is said about the name does not show in the exit status, and only one is asked at a time.
    if openssl x509 -in "$certificate" -noout -checkend 2592000 >/dev/null &&
        answer=$(openssl x509 -in "$certificate" -noout -checkhost "$name"); then
        case $answer in
        *" does match "*)
            echo "the certificate for $name is still good"
            exit 0
            ;;
        esac
    fi
fi
(
    umask 077
    # A common name has at most 64 characters; browsers look at the alternative name.
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 397 \
        -subj "/CN=$(printf %.64s "$name")" -addext "subjectAltName=DNS:$name" \
        -keyout "$key.new" -out "$certificate.new"
)
chmod 0644 "$certificate.new"
mv -f "$key.new" "$key"
mv -f "$certificate.new" "$certificate"
{
    echo 'server {'
    echo '    listen 443 ssl default_server;'
    if [ -e /proc/net/if_inet6 ]; then echo '    listen [::]:443 ssl default_server;'; fi
    echo '    server_name _;'
    echo '    root /var/www/html;'
    echo "    ssl_certificate $certificate;"
    echo "    ssl_certificate_key $key;"
    echo '    ssl_protocols TLSv1.2 TLSv1.3;'
    echo '}'
} >"$site"
nginx -t
systemctl reload-or-restart nginx.service
echo "a new certificate for $name"
