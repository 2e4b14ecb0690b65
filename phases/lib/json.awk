# Prints texts of a JSON document from standard input. Run with LC_ALL=C.
#   awk -v keys="AccessKeyId Token" -f json.awk    the first text under each of these keys, at any depth; a line each
#   awk -v keys=Value -f json.awk                  of one key alone: just its text, without a line end
# A key that has none gives an empty line. Ends with 1 when the document stops in the middle of a text.
function code_unit(hex, i, value) {
    for (i = 1; i <= 4; i++) value = value * 16 + index("0123456789abcdef", tolower(substr(hex, i, 1))) - 1
    return value
}
function utf8(c) {
    if (c < 128) return sprintf("%c", c)
    if (c < 2048) return sprintf("%c%c", 192 + int(c / 64), 128 + c % 64)
    if (c < 65536) return sprintf("%c%c%c", 224 + int(c / 4096), 128 + int(c / 64) % 64, 128 + c % 64)
    return sprintf("%c%c%c%c", 240 + int(c / 262144), 128 + int(c / 4096) % 64, 128 + int(c / 64) % 64, 128 + c % 64)
}
# Takes a text off the beginning of the global rest, behind its opening quote.
function take(taken, c, low) {
    for (;;) {
        if (!match(rest, /["\\]/)) { broken = 1; rest = ""; return taken }
        taken = taken substr(rest, 1, RSTART - 1)
        if (substr(rest, RSTART, 1) == "\"") { rest = substr(rest, RSTART + 1); return taken }
        c = substr(rest, RSTART + 1, 1)
        rest = substr(rest, RSTART + 2)
        if (c != "u") { taken = taken (c in escape ? escape[c] : c); continue }
        c = code_unit(rest)
        rest = substr(rest, 5)
        if (c >= 55296 && c < 56320 && substr(rest, 1, 2) == "\\u") {
            low = code_unit(substr(rest, 3))
            if (low >= 56320 && low < 57344) { c = 65536 + (c - 55296) * 1024 + low - 56320; rest = substr(rest, 7) }
        }
        taken = taken utf8(c)
    }
}
BEGIN { escape["n"] = "\n"; escape["t"] = "\t"; escape["r"] = "\r"; escape["b"] = "\b"; escape["f"] = "\f" }
{ rest = rest $0 "\n" }
END {
    while ((at = index(rest, "\"")) > 0) {
        isValue = substr(rest, 1, at - 1) ~ /:[ \t\r\n]*$/
        rest = substr(rest, at + 1)
        text = take("")
        if (!isValue) key = text
        else if (!(key in found)) found[key] = text
    }
    count = split(keys, wanted, " ")
    if (count == 1) printf "%s", found[wanted[1]]
    else for (i = 1; i <= count; i++) print found[wanted[i]]
    exit broken
}
