# Takes the launch request out of user data (standard input, unpacked) and puts it into files below the directory launch:
#   env/SERVICE       assignments of its parameters, quoted for the shell
#   secrets/SERVICE   VARIABLE, tab, name in Parameter Store
#   log, channel-url  a URL;   log-urls   launch index, name and URL, separated by tabs
#   LC_ALL=C awk -v launch=DIRECTORY -f launch-request.awk
# Prints why it cannot be used, if it cannot; there are no files then. Lines that it does not know are left alone.
function decoded(text, out, i, at, bits, held) {
    out = ""; bits = 0; held = 0
    for (i = 1; i <= length(text); i++) {
        at = index(alphabet, substr(text, i, 1)) - 1
        if (at < 0) { if (substr(text, i) !~ /^==?$/) broken = 1; break }
        held = (held * 64 + at) % 65536
        bits += 6
        if (bits >= 8) { bits -= 8; out = out sprintf("%c", int(held / (bits == 0 ? 1 : bits == 2 ? 4 : 16)) % 256) }
    }
    if (length(text) % 4) broken = 1
    return out
}
function variable(name) { name = toupper(name); gsub(/-/, "_", name); return "BAKE_" name }
function quoted(text) { gsub(/\047/, "\047\\\047\047", text); return "\047" text "\047" }
function check(service, parameter) {
    if (service !~ /^[a-z][a-z0-9-]*$/ || parameter !~ /^[a-z][a-z0-9_-]*$/) broken = 1
}
function put(file, line) { if (!(file in content)) files[++fileCount] = file; content[file] = content[file] line "\n" }
BEGIN { alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/" }
!/^#bake-ami / { next }
{ sub(/\r$/, "") }
$2 == "launch-request" { version = $3; count = 0; ended = 0; next }
version == "" { headless = 1; next }
ended { next }
$2 == "end" { ended = 1; announced = $3; next }
{ line[++count] = $0 }
END {
    if (version == "") {
        if (headless) print "its beginning is cut off"
        exit
    }
    if (version != "1") { print "it is of version " version ", and this image knows version 1"; exit }
    if (!ended || announced != count) { print "it is cut: " count " lines of " (ended ? announced : "more"); exit }
    for (i = 1; i <= count; i++) {
        split(line[i], word, " ")
        if (word[2] == "set") {
            check(word[3], word[4])
            put("env/" word[3], variable(word[4]) "=" quoted(decoded(word[5])))
        } else if (word[2] == "secret") {
            check(word[3], word[4])
            put("secrets/" word[3], variable(word[4]) "\t" decoded(word[5]))
        } else if (word[2] == "log" || word[2] == "channel-url") {
            put(word[2], decoded(word[3]))
        } else if (word[2] == "log-url") {
            put("log-urls", word[3] "\t" word[4] "\t" decoded(word[5]))
        }
        if (broken) { print "line " i " of it is damaged"; exit }
    }
    for (i = 1; i <= fileCount; i++) {
        printf "%s", content[files[i]] >(launch "/" files[i])
        close(launch "/" files[i])
    }
}
