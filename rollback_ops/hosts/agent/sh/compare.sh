# Compares the files of two releases, for a preview only. A rollback does not send this section.

# Files with versions of dependencies. Their text is sent: it is no secret from a person who may roll back.
LOCKS='requirements*.txt uv.lock poetry.lock pdm.lock Pipfile.lock package-lock.json npm-shrinkwrap.json yarn.lock
pnpm-lock.yaml composer.lock Gemfile.lock go.mod go.sum Cargo.lock'
SETTINGS='*.json *.toml *.yaml *.yml .env .env.* *.env *.ini *.cfg *.conf *.properties'
# Files that are compared, of each kind, and files of a release that are listed.
most_compared=30
most_listed=20000

# compare LEFT TARGET [SECONDS]: without SECONDS, files are compared by their manifests only, else only the directories are.
compare() {
    left=$1 target=$2
    for name in "$left" "$target"; do
        safe_name "$name" && [ -d "$releases/$name" ] && [ ! -L "$releases/$name" ] || return 1
    done
    if [ -n "${3:-}" ]; then
        compare_directories "$3"
    else
        compare_manifests
        compare_known lock "$LOCKS"
        compare_known settings "$SETTINGS"
    fi
}

compare_manifests() {
    for name in "$left" "$target"; do
        identify "$name"
        manifest_of "$name"
        if [ -z "$manifest" ]; then
            say unlisted "$name is not sealed"
            return
        fi
        if ! is_manifest "$manifest"; then
            say unlisted "the manifest of $name is damaged"
            return
        fi
        [ "$name" = "$target" ] || one=$manifest
    done
    say listed manifests
    differences "$(cat -- "$one")" "$(cat -- "$manifest")"
}

compare_directories() {
    leave_links_out
    for name in "$left" "$target"; do
        # shellcheck disable=SC2086 # words without blanks or wildcards
        files=$(cd -- "$releases/$name" && find . -type f $linked | head -n $((most_listed + 1)) | wc -l)
        if [ "$files" -gt "$most_listed" ]; then
            say unlisted "$name has more than $most_listed files"
            return
        fi
    done
    if one=$(hashes "$left" "$1") && other=$(hashes "$target" "$1"); then
        say listed directories
        differences "$one" "$other"
    else
        say unlisted 'their files are too large to be compared in time'
    fi
}

# hashes RELEASE SECONDS
hashes() {
    # shellcheck disable=SC2016,SC2086 # the inner shell expands these; words without blanks or wildcards
    timeout -k 1 "$2" sh -c 'cd -- "$1" && shift && find . -type f "$@" -print0 | xargs -0 -r sha256sum -b' \
        rollback-ops "$releases/$1" $linked 2>/dev/null
}

# differences LEFT TARGET: name the files that only one list has, or has like this. Their hashes stay here.
differences() {
    { printf '%s\n' "$1"; printf '%s\n%s\n' "$2" "$2"; } | of_files had
    { printf '%s\n%s\n' "$1" "$1"; printf '%s\n' "$2"; } | of_files has
}

of_files() {
    sort | uniq -u | cut -c 67- | grep '^\./' | head -n "$most_listed" | sed "s/^../$1$TAB/"
}

# compare_known lock|settings PATTERNS: compare files of both releases, down to the first directories in them.
compare_known() {
    set -f
    # shellcheck disable=SC2086 # the patterns are words
    wanted=$(printf ' -o -name %s' $2)
    set +f
    { known_files "$left" && known_files "$target"; } | sort | uniq -u | cut -c 67- | sort -u |
        grep -E '^\./([A-Za-z0-9_][A-Za-z0-9._@-]*/)?[A-Za-z0-9_.][A-Za-z0-9._@-]*$' | head -n 100 |
        while IFS= read -r file; do
            case $1,${file##*/} in settings,package-lock.json | settings,npm-shrinkwrap.json | settings,pnpm-lock.yaml) continue ;; esac
            [ "$most_compared" -gt 0 ] || break
            most_compared=$((most_compared - 1))
            "compare_$1" "${file#./}"
        done
}

known_files() {
    set -f
    # shellcheck disable=SC2086 # words, which find expands
    (cd -- "$releases/$1" && find . -maxdepth 2 \( -name node_modules -o -name vendor -o -name .git -o -name .venv \) -prune \
        -o -type f -size -6000 \( ${wanted# -o } \) -exec sha256sum -b {} +)
    set +f
}

compare_lock() {
    say lock "$1"
    [ ! -f "$releases/$left/$1" ] || packed_text old "$releases/$left/$1"
    [ ! -f "$releases/$target/$1" ] || packed_text new "$releases/$target/$1"
}

packed_text() {
    gzip -c <"$2" | base64 | sed "s/^/$1$TAB/"
}

compare_settings() {
    case $1 in
        *.json) form=json ;;
        *.toml) form=toml ;;
        *.yaml | *.yml) form=yaml ;;
        .env* | *.env | */.env*) form="env" ;;
        *) form=ini ;;
    esac
    set -- "$1" "$releases/$left/$1" "$releases/$target/$1"
    say settings "$1"
    [ -f "$2" ] || set -- "$1" '' "$3"
    [ -f "$3" ] || set -- "$1" "$2" ''
    keys=$(timeout -k 1 2 awk "$KEYS" "$form" "$2" "$3" 2>/dev/null) || keys=unread
    printf '%s\n' "$keys" | sort | head -n 200 | sed "s/^/key$TAB/"
}
