# shellcheck shell=sh
# Who launched this machine may see its console without any right to log in.

# Sets one_line: what another computer said must not look like a line of ours, nor fill the console.
make_one_line() {
    one_line=$1
    case $one_line in
    *[[:cntrl:]]*) one_line=$(printf '%s' "$one_line" | tr -s '\000-\037\177' ' ') ;;
    esac
    # Whoever reads a console takes these words for the beginning of one.
    one_line=${one_line%%bake-ami: *}
    if [ "${#one_line}" -gt 1000 ]; then one_line=$(printf '%.1000s' "$one_line"); fi
}

tell_console() {
    { printf 'bake-ami: %s\n' "$1" >/dev/console; } 2>/dev/null || :
}
