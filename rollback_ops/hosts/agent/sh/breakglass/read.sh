# Reads a survey: what protocol/survey.py reads in its lines. A part of the awk program of decide.sh.

READ='
function words(code, zero, one, two,   text, said, n) {
    text = code in word ? word[code] : code
    while (match(text, /[{][012][}]/)) {
        n = substr(text, RSTART + 1, 1)
        said = said substr(text, 1, RSTART - 1) (n == 0 ? zero : n == 1 ? one : two)
        text = substr(text, RSTART + 3)
    }
    return said text
}
function both(one, two, between) { return one (one != "" && two != "" ? between : "") two }
function add_hold(line,   until, hours, text, about) {
    until = match(line, /"until":[0-9]+/) ? substr(line, RSTART + 8, RLENGTH - 8) : 0
    hours = (until - asked["at"]) / 3600
    text = sprintf("is held (by %s, for %.1f h more): %s", value(line, "by"), hours, value(line, "reason"))
    if (!until || line !~ /"lifted_by":"/) text = "a hold cannot be read"
    else if (hours <= 0 || line !~ /"lifted_by":""/) return
    else {
        while (match(line, /"release":"[^"]*"/)) {
            about = about substr(line, RSTART + 11, RLENGTH - 12) " "
            line = substr(line, RSTART + RLENGTH)
        }
        text = (about == "" ? "everything " : about) text
    }
    holds[++held] = text
}
function value(line, key) {
    match(line, "\"" key "\":\"([^\"\\\\]|\\\\.)*\"")
    line = substr(line, RSTART + length(key) + 4, RLENGTH - length(key) - 5)
    gsub(/\\"/, "\"", line)
    return line
}
BEGIN {
    FS = "\t"
    OFS = "\001"
    for (each in ENVIRON) asked[each] = ENVIRON[each] ""
    backup = asked["backup"]
}
$1 == "word" { word[$2] = $3 }
$1 == "broken" { broken[$2] = $3 }
$1 == "live" {
    live_name = origin = $3 ""
    state = $2 ""
    live = state == "release" ? live_name : ""
    path = $4
}
# It is over if another release was made live since.
$1 == "unfinished" {
    from = $5 ""
    if (from == "") { from = $3; sub(/\/$/, "", from); sub(/.*\//, "", from) }
    if (state != "release" || live == from || live == $4 "") { origin = from; interrupted = $4 "" }
}
$1 == "drill" { drill_start = $3 ""; drill_target = $4 "" }
$1 == "hold" { add_hold($3) }
$1 == "blocker" && $2 == "no-sudo" { needed = both(needed, $3, ", "); user = $4; next }
$1 == "blocker" { blockers = both(blockers, words($2, $3, $4, $5), "; ") }
$1 == "warning" { warnings = both(warnings, words($2, $3, $4), "; ") }
$1 == "deploying" { under_way = both(under_way, words("deploying", $2, $3), "; ") }
$1 == "lease" {
    lease = "locked by " ($3 == "" ? "another run" : $3) " since " $5 " (run " both($2, $4, ", ")
    lease = lease (int($6) ? ", at most " int($6) " s more" : "") ")"
}
$1 == "logged" { logged[$2] = ++place }
$1 == "release" {
    name[++many] = $2 ""
    revision[many] = $4
    mark[many] = $5
    sealed[many] = $6 == "yes" ? "sealed" : ""
    if ($3 != "") problem[many] = ("problem-" $3) in word ? word["problem-" $3] : "it " $3
    # 2: it is known to have been live. 1: a rollback left it without evidence against it. 0: nothing is known.
    kind[many] = $2 in logged || $5 == "good" ? 2 : 0
    if (problem[many] == "" || $2 "" == origin) {
        usable[$2]
        if (!($2 in logged)) unlogged = 1
    }
}
$1 == "left" { left[many] = 1; left_why[many] = $4 == "" ? "" : " (" $4 ")" }
# The time is the earlier of both, in seconds since the epoch; only that at which it was live is certain.
$1 == "modified" {
    if ($5 ~ /^[0-9]+$/) { kind[many] = 2; time[many] = $5 + 0 ? $5 : "" }
    certain[many] = time[many] != "" || $2 in logged
    if ($4 ~ /^[0-9]+$/ && $4 + 0 && (time[many] == "" || time[many] + 0 > $4 + 0)) time[many] = $4
    if (many in left) kind[many] = 1
}
# In octal, as the name may be anything.
$1 == "odd" {
    name[++many] = "\047"
    digits = split($2, octal, "[\\\\]")
    for (i = 2; i <= digits && i <= 129; i++) {
        byte = substr(octal[i], 1, 1) * 64 + substr(octal[i], 2, 1) * 8 + substr(octal[i], 3, 1)
        name[many] = name[many] (byte > 31 && byte != 127 ? sprintf("%c", byte) : "?")
    }
    # Control characters beyond ASCII, as in words.sh.
    gsub(/\302[\200-\237]|\342\200[\250-\256]/, "?", name[many])
    name[many] = name[many] "\047"
    problem[many] = word["bad-name"]
}
'
