# shellcheck shell=sh disable=SC2034,SC2154 # run-service has the paths, and reads why
# The parameters of a service for its steps: values, and secrets, which are resolved when they are needed. Sourced by
# run-service.

# load_parameters PHASE SERVICE DIRECTORY
# Exports them. What the launch asks for goes over what the bundle says. Returns 1 with why.
load_parameters() {
    set -a
    # shellcheck source=/dev/null
    . "$3/env"
    case $1 in
    update | verify) load_if_there "$3/env-update" ;;
    esac
    load_if_there "$launch/env/$2"
    set +a
    if [ "$1" = init ]; then
        drop_update_parameters "$3/update-names"
    else
        export_secrets "$launch/secrets/$2" "$3/secrets" || return 1
    fi
    if [ -r "$3/required" ]; then check_required "$1" "$3/required"; fi
}

load_if_there() {
    if [ -r "$1" ]; then
        # shellcheck source=/dev/null
        . "$1"
    fi
}

# A late init gets no more than the init of a bake.
drop_update_parameters() {
    if [ ! -r "$1" ]; then return 0; fi
    while read -r variable; do unset "$variable"; done <"$1"
}

check_required() {
    while IFS=$tab read -r variable parameter used_by; do
        if [ "$1/$used_by" = init/update ]; then continue; fi
        eval "value=\${$variable-}"
        if [ -z "$value" ]; then
            why="its parameter $parameter must have a value and has none"
            return 1
        fi
    done <"$2"
}

# export_secrets LIST...
# The first list that names a variable counts. Values are in the environment of the steps alone.
export_secrets() {
    resolved=' '
    for list in "$@"; do
        if [ ! -r "$list" ]; then continue; fi
        # shellcheck source=phases/lib/aws.sh
        . "$bundle/lib/aws.sh"
        aws_patience=30
        while IFS=$tab read -r variable parameter <&4; do
            case $resolved in *" $variable "*) continue ;; esac
            resolved="$resolved$variable "
            if ! ssm_get "$parameter"; then
                why="parameter $parameter: $why"
                return 1
            fi
            export "$variable=$ssm_value"
        done 4<"$list"
    done
    ssm_value='' aws_body='' aws_answer=''
}
