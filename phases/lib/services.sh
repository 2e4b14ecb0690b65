# shellcheck shell=sh disable=SC2154 # run and the paths are drive's
# Runs services through systemd and reads how they ended. Sourced by drive.

# run_services PHASE SERVICE...
# Starts them all in one transaction and waits for its end. A transaction needs one unit that wants them all; systemd
# finds a new file by itself, without a reload. Adds to failed, not_started and rebooting.
run_services() {
    of_phase=$1
    shift
    transactions=$((transactions + 1))
    target=bake-ami-$of_phase-$run-$$-$transactions.target
    {
        printf '[Unit]\nDescription=bake-ami: the %s phase of run %s\nWants=' "$of_phase" "$run"
        printf "bake-ami-$of_phase@%s.service " "$@"
        echo
    } >"/run/systemd/system/$target"
    systemctl start "$target"
    for service in "$@"; do
        result=
        if [ -r "$runtime/results/$of_phase/$service" ]; then
            read -r result <"$runtime/results/$of_phase/$service" || :
        fi
        case $result in
        ok) ;;
        failed) failed="$failed $service" ;;
        reboot) rebooting="$rebooting $service" ;;
        '') not_started="$not_started $service" ;;
        *)
            # systemd ended it: the backstop of its time limit, or a person.
            failed="$failed $service"
            event "service-finished phase=$of_phase service=$service result=failed"
            ;;
        esac
    done
}

# run_around PHASE SERVICE...
# The same, with the project's own steps before and after all services, and the packages first.
run_around() {
    around_phase=$1
    failed_before=$failed
    for first in _before _packages; do
        case $first/$around_phase in
        _before/*) if [ ! -e "services/_before/steps/$around_phase" ]; then continue; fi ;;
        _packages/init) if [ -z "$packages" ]; then continue; fi ;;
        *) continue ;;
        esac
        run_services "$around_phase" "$first"
        if [ "$failed" != "$failed_before" ] || [ -n "$rebooting" ]; then
            shift
            if [ -z "$rebooting" ]; then not_started="$not_started $*"; fi
            return 0
        fi
    done
    run_services "$@"
    if [ -z "$rebooting" ] && [ -e "services/_after/steps/$around_phase" ]; then
        run_services "$around_phase" _after
    fi
}
