# The forms of settings in which a value may take several lines: TOML and YAML.

# shellcheck disable=SC2034 # used in compare.sh
KEYS=$KEYS'
function toml_line(text,   key) {
    if (open == "" && nested == 0) {
        if (text ~ /^[ \t]*(#.*)?$/) return
        if (text ~ /^[ \t]*\[\[?[ \t]*[A-Za-z0-9_. -]+\]\]?[ \t]*(#.*)?$/) {
            sub(/#.*/, "", text)
            gsub(/[][ \t]/, "", text)
            names[1] = text
            return
        }
        sub(/^[ \t]+/, "", text)
        if (!fits(text, "^[A-Za-z0-9_.\" \t-]+=")) { good = 0; return }
        key = substr(text, 1, RLENGTH - 1)
        text = substr(text, RLENGTH + 1)
        gsub(/[ \t]*[.][ \t]*/, ".", key)
        sub(/[ \t]+$/, "", key)
        if (key !~ /^([A-Za-z0-9_-]+|"[^"]*")([.]([A-Za-z0-9_-]+|"[^"]*"))*$/) { good = 0; return }
        gsub(/"/, "", key)
        names[2] = key
        last = join_to(2)
    }
    note(last, text)
    toml_value(text)
}
function toml_value(text,   at) {
    while (text != "" && good) {
        if (open != "") {
            at = index(text, open)
            if (!at) return
            text = substr(text, at + 3)
            open = ""
        } else if (substr(text, 1, 3) == "\"\"\"" || substr(text, 1, 3) == "\047\047\047") {
            open = substr(text, 1, 3)
            text = substr(text, 4)
        } else if (fits(text, "^\"([^\"\\\\]|\\\\.)*\"") || fits(text, "^\047[^\047]*\047")) text = substr(text, RLENGTH + 1)
        else if (text ~ /^["\047]/) good = 0
        else if (text ~ /^#/) return
        else {
            if (text ~ /^[[{]/) nested++
            if (text ~ /^[]}]/) nested--
            text = substr(text, 2)
        }
    }
}
function yaml_line(text,   indent, dashes, key, value) {
    sub(/[ \t\r]+$/, "", text)
    match(text, /^ */)
    indent = RLENGTH
    if (block >= 0) {
        if (text == "" || indent > block) { note(last, text); return }
        block = -1
    }
    if (text ~ /^ *(#.*)?$/ || text == "---" || text == "...") return
    text = substr(text, indent + 1)
    while (fits(text, "^- +") || text == "-") {
        dashes++
        if (text == "-") { text = ""; break }
        parent = indent
        indent += RLENGTH
        text = substr(text, RLENGTH + 1)
    }
    while (depth && levels[depth] >= (dashes && text !~ /:( |$)/ ? parent + 1 : indent)) depth--
    if (text == "") return
    if (fits(text, "^(\"[^\"\\\\]*\"|\047[^\047]*\047|[A-Za-z0-9_.\\/@$<][A-Za-z0-9_.\\/@$<-]*( [A-Za-z0-9_.\\/@$-]+)*) *:( |$)")) {
        key = substr(text, 1, RLENGTH)
        value = substr(text, RLENGTH + 1)
        sub(/ *: ?$/, "", key)
        levels[++depth] = indent
        names[depth] = unquoted(key)
        last = join_to(depth)
        yaml_value(value, indent)
    } else if (dashes) {
        last = join_to(depth)
        yaml_value(text, parent)
    } else good = 0
}
function yaml_value(text, indent) {
    sub(/^ +/, "", text)
    note(last, text)
    while (fits(text, "^[&!][^ ]*( +|$)")) text = substr(text, RLENGTH + 1)
    if (text ~ /^[|>][-+0-9]*( +#.*)?$/) block = indent
    else if (text ~ /^"/) { if (text !~ /^"([^"\\]|\\.)*"( +#.*)?$/) good = 0 }
    else if (text ~ /^\047/) { if (text !~ /^\047([^\047]|\047\047)*\047( +#.*)?$/) good = 0 }
    else if (text ~ /^[[{]/) { if (text !~ /^\[[^][{}]*\]( +#.*)?$/ && text !~ /^[{][^][{}]*[}]( +#.*)?$/) good = 0 }
    else if (text ~ /^[|>?%`@]/) good = 0
}
'
