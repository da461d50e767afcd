# The keys of a file of settings that a rollback adds, removes or changes. Values are compared here and never printed: they
# may be secrets. A file that is not understood from its first line to its last prints no key at all, since a line of a
# value could be taken for one.

# changed_keys FORM LEFT TARGET: print "added|removed|changed KEY", or "unread". FORM: json, toml, yaml, env or ini.
# shellcheck disable=SC2034 # used in compare.sh
KEYS='
function fits(text, pattern) { return match(text, pattern) == 1 }
function note(key, value) {
    if (key == "") return
    there[side, key] = 1
    every[key] = 1
    kept[side, key] = kept[side, key] "\n" value
}
function part(name) {
    gsub(/[^A-Za-z0-9_.@\/:$ -]/, "?", name)
    return length(name) > 64 ? substr(name, 1, 64) "~" : name
}
function join_to(depth,   path, i) {
    path = ""
    for (i = 1; i <= depth; i++) if (names[i] != "") path = path (path == "" ? "" : ".") part(names[i])
    return path
}
function unquoted(text) {
    return text ~ /^["\047]/ ? substr(text, 2, length(text) - 2) : text
}
function json_line(text,   token) {
    while (text != "" && good) {
        if (fits(text, "^[ \t\r]+")) { text = substr(text, RLENGTH + 1); continue }
        if (fits(text, "^\"([^\"\\\\]|\\\\.)*\"") || fits(text, "^[-+.0-9A-Za-z]+")) {
            token = substr(text, 1, RLENGTH)
            text = substr(text, RLENGTH + 1)
            if (kinds[depth] == "{" && awaits == "key") {
                names[depth] = unquoted(token)
                awaits = "colon"
            } else if (awaits == "value") {
                note(join_to(depth), token)
                awaits = "comma"
            } else good = 0
            continue
        }
        token = substr(text, 1, 1)
        text = substr(text, 2)
        if (token == ":" && awaits == "colon") awaits = "value"
        else if (token == "," && awaits == "comma" && depth) awaits = kinds[depth] == "{" ? "key" : "value"
        else if ((token == "{" || token == "[") && awaits == "value") {
            note(join_to(depth), token)
            kinds[++depth] = token
            names[depth] = ""
            awaits = token == "{" ? "key" : "value"
        } else if ((token == "}" || token == "]") && depth && kinds[depth] == (token == "}" ? "{" : "[")) {
            depth--
            awaits = "comma"
        } else good = 0
    }
}
function env_line(text,   key, value, quote) {
    if (open != "") {
        note(opened, text)
        if (closes(text, open)) open = ""
        return
    }
    if (text ~ /^[ \t]*(#.*)?$/) return
    sub(/^[ \t]*(export[ \t]+)?/, "", text)
    if (!fits(text, "^[A-Za-z_][A-Za-z0-9_.]*[ \t]*=")) { good = 0; return }
    key = substr(text, 1, RLENGTH - 1)
    value = substr(text, RLENGTH + 1)
    gsub(/[ \t]/, "", key)
    sub(/^[ \t]+/, "", value)
    note(part(key), value)
    quote = substr(value, 1, 1)
    if (quote != "\"" && quote != "\047") { if (value ~ /\\$/) good = 0 }
    else if (!closes(substr(value, 2), quote)) { open = quote; opened = part(key) }
}
function closes(text, quote) {
    if (quote == "\"") gsub(/\\./, "", text)
    return index(text, quote) > 0
}
function ini_line(text,   key, value) {
    if (text ~ /^[ \t]*([#;].*)?$/) return
    if (text ~ /\\$/) { good = 0; return }
    if (text ~ /^[ \t]/) { if (last == "") good = 0; else note(last, text); return }
    if (text ~ /^\[[^]]+\][ \t]*$/) {
        match(text, /\]/)
        names[1] = substr(text, 2, RSTART - 2)
        last = ""
        return
    }
    if (!match(text, /[=:]/)) { good = 0; return }
    key = substr(text, 1, RSTART - 1)
    value = substr(text, RSTART + 1)
    sub(/[ \t]+$/, "", key)
    if (key !~ /^[A-Za-z0-9_][A-Za-z0-9_. \/@-]*$/) { good = 0; return }
    names[2] = key
    last = join_to(2)
    note(last, value)
}
function read_file(path,   text, more) {
    depth = nested = 0
    open = last = names[1] = names[2] = ""
    block = -1
    awaits = "value"
    while ((more = (getline text <path)) > 0 && good) {
        sub(/\r$/, "", text)
        if (form == "json") json_line(text)
        else if (form == "env") env_line(text)
        else if (form == "ini") ini_line(text)
        else if (form == "toml") toml_line(text)
        else yaml_line(text)
    }
    if (more < 0 || open != "" || nested != 0 || (form == "json" && (depth || awaits == "colon"))) good = 0
    close(path)
}
BEGIN {
    form = ARGV[1]
    good = 1
    for (side = 1; side <= 2; side++) if (ARGV[side + 1] != "") read_file(ARGV[side + 1])
    if (!good) { print "unread"; exit }
    for (key in every) {
        if (!((1, key) in there)) print "added\t" key
        else if (!((2, key) in there)) print "removed\t" key
        else if (kept[1, key] != kept[2, key]) print "changed\t" key
    }
}'
