# shellcheck shell=sh disable=SC2034,SC2154 # drive has the paths, and goes by the results
# What a run has to do: the wanted services, their order, and what of it is done already. Sourced by drive.

# Sets wanted; what the launch asks for beyond the image counts from update on.
read_wanted() {
    wanted=''
    if [ -n "$limited_to" ]; then
        wanted=$limited_to
        return 0
    fi
    if [ -r "$state/services" ]; then
        while read -r service; do wanted="$wanted $service"; done <"$state/services"
    fi
    case $phase in
    init) launch_services='' ;;
    update)
        if [ "$launch_services" = - ]; then ask_launch; fi
        # What the phases of this boot that ask nobody go by.
        echo "$launch_services" >"$runtime/launch-services"
        ;;
    verify)
        launch_services=''
        if [ -r "$runtime/launch-services" ]; then read -r launch_services <"$runtime/launch-services" || :; fi
        ;;
    esac
    no_services=''
    for service in $launch_services; do
        case $service in
        *[!a-z0-9-]* | -*) no_services="$no_services $service" ;;
        *) wanted="$wanted $service" ;;
        esac
    done
    if [ -n "$no_services" ]; then
        refuse_launch "the tag bake-ami:with names something that is no service:$no_services"
    fi
}

# The launch request cannot be used as a whole: the run fails, and does the rest all the same.
refuse_launch() {
    message "going on without the launch request: $1"
    launch_why="${launch_why:+$launch_why; }$1"
    case " $failed " in *' _launch-request '*) ;; *) failed="$failed _launch-request" ;; esac
}

# Asks the metadata service, once in a run.
ask_launch() {
    if read_launch_request; then return 0; fi
    launch_problem=$launch_why launch_why=''
    refuse_launch "$launch_problem"
}

# Sets closure, finished, pending, ready and packages; see plan.awk.
make_plan() {
    manager=apt
    if command -v dnf >/dev/null; then manager=dnf; fi
    set +f
    set -- "$state"/init/*
    set -f
    plan=$(
        # shellcheck disable=SC2086 # words on purpose
        printf 'want %s\n' $wanted
        for mark in "$@"; do echo "mark ${mark##*/}"; done
    )
    plan=$(echo "$plan" | awk -v manager="$manager" -f lib/plan.awk part=1 - part=2 catalog.tsv part=3 packages.tsv)
    while read -r key list; do
        case $key in
        unknown) unknown=$list ;;
        closure) closure=$list ;;
        done) finished=$list ;;
        pending) pending=$list ;;
        ready) ready=$list ;;
        packages) packages=$list ;;
        esac
    done <<END
$plan
END
}

# Those of its arguments that have steps in this phase, in $with_steps.
find_steps() {
    with_steps=
    for service in "$@"; do
        if [ -e "services/$service/steps/$phase" ]; then with_steps="$with_steps $service"; fi
    done
}

# After inits: what is ready has changed. Worth the processes only when some did not end well.
make_plan_again() {
    late=$pending
    if [ -z "$failed$not_started$rebooting" ]; then
        ready=$closure
        return 0
    fi
    packages_before=$packages
    make_plan
    late_done=
    for service in $late; do
        case " $pending " in *" $service "*) ;; *) late_done="$late_done $service" ;; esac
    done
    late=$late_done packages=$packages_before
}
