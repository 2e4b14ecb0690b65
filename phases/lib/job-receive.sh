# shellcheck shell=sh
# Takes a job from standard input: a tar with own/ (programs, order, command, environment) and work/ (the user's files). Its
# text is sent as a command, so it stands alone. Doing it again, because the connection broke, begins anew; a job that was
# started stays as it is.
set -eu
umask 077
state=/var/lib/bake-ami
if [ -e "$state/job.d/started" ]; then
    cat >/dev/null
    exit 0
fi
new=$state/job.new
rm -rf "$new"
mkdir -p "$new"
tar -xf - --no-same-owner -C "$new"
mkdir -p "$new/work"
chmod 0755 "$new/work"
rm -rf "$state/job" "$state/job.d"
mv -T "$new/work" "$state/job"
mv -T "$new/own" "$state/job.d"
rm -rf "$new"
