# shellcheck shell=sh
# Who launched this machine may see its console without any right to log in.

tell_console() {
    { echo "bake-ami: $1" >/dev/console; } 2>/dev/null || :
}
