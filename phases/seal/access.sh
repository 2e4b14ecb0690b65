# shellcheck shell=sh
# Who may log in, and what those who did have typed. Patterns for bin/seal.

while IFS=: read -r _ _ _ _ _ user_home _; do
    case $user_home in /root | /home/* | /var/* | /opt/* | /srv/*) ;; *) continue ;; esac
    # A pattern's own characters in a home's name would match other names.
    case $user_home in *[*?[]*) continue ;; esac
    if [ ! -d "$user_home" ]; then continue; fi
    remove "$user_home/.ssh/authorized_keys" "$user_home/.ssh/authorized_keys2" "$user_home/.ssh/known_hosts" \
        "$user_home/.ssh/known_hosts.old" "$user_home/.*_history" "$user_home/.lesshst" "$user_home/.viminfo" \
        "$user_home/.wget-hsts" "$user_home/.sudo_as_admin_successful"
done </etc/passwd
