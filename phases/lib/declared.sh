# shellcheck shell=sh
# What the programs of declared resources share. Sourced by those, which run as steps.
#
#   each_declared FUNCTION   calls it for each resource of this step's kind, its fields in $r_NAME
#   changed WHAT NAME        says that something was changed, and keeps it for the units that restart for it
#   same_word A B            for messages

# shellcheck source=phases/lib/paths.sh
. "${BAKE_SERVICE_DIR%/services/*}/lib/paths.sh"
declared_kind=${0##*/}
declared_list=${BAKE_SERVICE_DIR%/dir}/declared/$BAKE_PHASE/$declared_kind
declared_tab='	'
changes=${state:?}/changed/$BAKE_SERVICE

# each_line FILE FUNCTION
each_line() {
    while IFS= read -r declared_line <&4; do
        declared_keys=
        while [ -n "$declared_line" ]; do
            declared_field=${declared_line%%"$declared_tab"*}
            case $declared_line in
            *"$declared_tab"*) declared_line=${declared_line#*"$declared_tab"} ;;
            *) declared_line= ;;
            esac
            declared_value=${declared_field#*=}
            case $declared_value in
            *\\*)
                # The dot keeps the line ends that a substitution would take off.
                declared_value=$(printf '%b.' "$declared_value")
                declared_value=${declared_value%.}
                ;;
            esac
            declared_field=${declared_field%%=*}
            declared_keys="$declared_keys r_$declared_field"
            # The keys are ours: small letters and underscores.
            eval "r_$declared_field=\$declared_value"
        done
        "$2"
        # shellcheck disable=SC2086 # names of variables
        unset $declared_keys
    done 4<"$1"
}

each_declared() { each_line "$declared_list" "$1"; }

changed() {
    echo "changed $1 $2"
    mkdir -p "${changes%/*}"
    # Kept until the units have taken note: a phase that fails before that is done again, and then nothing changes.
    printf '%s\n' "$2" >>"$changes"
}
