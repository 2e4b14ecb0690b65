# shellcheck shell=sh disable=SC2154 # the paths are the program's
# What is told to whoever follows a phase: lines in the journal under the identifier bake-ami. They go through one pipe
# that bake-ami-events.socket holds open, so that their order is kept and telling costs no process.

message() {
    # Without the pipe (its unit was stopped) the line still reaches the journal.
    if [ -p "$runtime/events" ]; then echo "$1" >"$runtime/events"; else echo "$1"; fi
}

event() { message "event=$1"; }
