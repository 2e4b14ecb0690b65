# Percent-encodes the key of an S3 object as signatures want it: every byte but A-Z a-z 0-9 - . _ ~ and the slash.
# Run with LC_ALL=C. (AWS Signature Version 4, "UriEncode")
BEGIN { for (i = 1; i < 256; i++) code[sprintf("%c", i)] = i }
{
    for (i = 1; i <= length($0); i++) {
        c = substr($0, i, 1)
        printf "%s", (c ~ /[A-Za-z0-9._~\/-]/) ? c : sprintf("%%%02X", code[c])
    }
}
