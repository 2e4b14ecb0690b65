# Works out what a phase has to do, in one pass over the catalog from its last service to its first.
#   awk -v manager=apt -f plan.awk part=1 - part=2 catalog.tsv part=3 packages.tsv
# Standard input: `want NAME` for each wanted service, `mark NAME@DIGEST` for each finished init.
# Prints, each list in topological order:
#   unknown ...   wanted names that the catalog does not have
#   closure ...   the wanted services and all that they require
#   done ...      of these, whose init is finished
#   pending ...   of these, whose init is not
#   ready ...     of these, whose own init and that of all they require is finished
#   packages ...  what the pending ones need of this machine's package manager
part == 1 && $1 == "want" && !($2 in wanted) { wanted[$2] = 1; asked[++asks] = $2 }
part == 1 && $1 == "mark" { mark[$2] = 1 }
part == 2 { name[++names] = $1; digest[$1] = $2; requires[$1] = $3 }
part == 3 && $2 == manager { packages[$1] = packages[$1] " " $3 }
END {
    for (i = 1; i <= asks; i++) if (!(asked[i] in digest)) unknown = unknown " " asked[i]
    for (i = names; i >= 1; i--) {
        if (!(name[i] in wanted) || requires[name[i]] == "-") continue
        count = split(requires[name[i]], needs, ",")
        for (j = 1; j <= count; j++) wanted[needs[j]] = 1
    }
    for (i = 1; i <= names; i++) {
        service = name[i]
        if (!(service in wanted)) continue
        closure = closure " " service
        isReady = 1
        if ((service "@" digest[service]) in mark) {
            finished = finished " " service
        } else {
            isReady = 0
            pending = pending " " service
            count = split(packages[service], needs, " ")
            for (j = 1; j <= count; j++) if (!(needs[j] in listed)) { listed[needs[j]] = 1; list = list " " needs[j] }
        }
        count = requires[service] == "-" ? 0 : split(requires[service], needs, ",")
        for (j = 1; j <= count; j++) if (needs[j] in unready) isReady = 0
        if (isReady) ready = ready " " service
        else unready[service] = 1
    }
    print "unknown" unknown
    print "closure" closure
    print "done" finished
    print "pending" pending
    print "ready" ready
    print "packages" list
}
