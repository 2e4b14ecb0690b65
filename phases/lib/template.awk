# Puts the values of parameters in the place of {{name}}: the environment has them as BAKE_NAME.
# A name that has no value ends it with status 1.
function value(name, variable) {
    variable = "BAKE_" toupper(name)
    gsub(/-/, "_", variable)
    if (variable in ENVIRON) return ENVIRON[variable]
    printf "%s has {{%s}} in line %d, and the parameter %s has no value\n", file, name, NR, name > "/dev/stderr"
    failed = 1
    return ""
}
{
    rest = $0
    done = ""
    while (match(rest, /[{][{] *[a-z][a-z0-9_-]* *[}][}]/)) {
        name = substr(rest, RSTART + 2, RLENGTH - 4)
        gsub(/ /, "", name)
        done = done substr(rest, 1, RSTART - 1) value(name)
        rest = substr(rest, RSTART + RLENGTH)
    }
    print done rest
}
END { if (failed) exit 1 }
