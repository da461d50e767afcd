# The order of releases, as core/order.py has it. A part of the awk program of decide.sh: comparisons are of text (… ""),
# because awk would compare the names 10 and 010 as numbers.

ORDER='
function sort(list, many,   i, j, one) {
    for (i = 2; i <= many; i++) {
        one = list[i]
        for (j = i - 1; j && list[j] > one; j--) list[j + 1] = list[j]
        list[j + 1] = one
    }
}
# Numbers sort behind their length, and begin with what sorts first.
function natural(text,   key, digits) {
    while (match(text, /[0-9]+/)) {
        digits = substr(text, RSTART, RLENGTH)
        key = key substr(text, 1, RSTART - 1)
        text = substr(text, RSTART + RLENGTH)
        sub(/^0+/, "", digits)
        key = key " " sprintf("%03d", length(digits)) digits
    }
    return key text
}
# Behind the numbers of a version comes ~, or what makes it a pre-release: each part a number, or ~ and a text.
function version(core,   dash, parts, n, i, pre) {
    sub(/^v/, "", core)
    sub(/[+].*/, "", core)
    if (dash = index(core, "-")) {
        n = split(substr(core, dash + 1), parts, "[.]")
        core = substr(core, 1, dash - 1)
    }
    for (i = 1; i <= n; i++) pre = pre (parts[i] ~ /^[0-9]+$/ ? natural(parts[i]) : " ~" parts[i])
    if (core !~ /[.].*[.]/) core = core ".0"
    return natural(core) (n ? pre : "~")
}
function kind_of(text) {
    if (text ~ word["VERSION"]) return "versions"
    if (text ~ word["COMMIT"] && text !~ word["DATE"] && text ~ /[^0-9]/) return "commits"
    if (match(text, /[0-9]/)) return RSTART > 1 ? "numbers after " substr(text, 1, RSTART - 1) : "numbers"
    return "words"
}
# The order that the names of usable have. Sets mixed, a warning.
function detect(   text, kind, kinds, many, others, lengths, listed, i) {
    for (text in usable) {
        if (!((kind = kind_of(text)) in kinds)) { kinds[kind]; listed[++many] = kind }
        if (text !~ word["COMMIT"] || (lengths != "" && lengths != length(text))) others = 1
        lengths = length(text)
    }
    # Some commits have no letter.
    if ("commits" in kinds && !others) { many = 1; listed[1] = "commits" }
    if (many > 1) {
        sort(listed, many)
        for (i = 1; i <= many; i++) mixed = both(mixed, listed[i], ", ")
        mixed = words("order-mixed", mixed)
        return "deployed"
    }
    if (listed[1] == "versions") return "semver"
    return listed[1] == "commits" || listed[1] == "words" ? "deployed" : "natural"
}
# A release whose key sorts higher is newer; where keys are equal, or one is empty, nobody can tell.
function key_of(i) {
    # Of two names that differ in leading zeros only, the text decides. A tab sorts before what a name has.
    if (order == "natural") return natural(name[i]) "\t" name[i]
    if (order == "semver") return name[i] ~ word["VERSION"] ? version(name[i]) : ""
    # A log that lacks some of the releases says nothing of their place.
    return i == gone ? "" : natural(unlogged ? time[i] : logged[name[i]])
}
'
