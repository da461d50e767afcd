# The migrations of the database, and those that releases know. The settings have the commands for both.

# schema TIMEOUT RELEASE…: without a TIMEOUT the database is not read.
schema() {
    [ -z "$1" ] || [ -z "$RO_SCHEMA_CURRENT" ] || ask_database "$1"
    shift
    for name; do
        if safe_name "$name" && [ -d "$releases/$name" ] && cd -- "$releases/$name"; then what_it_knows "$name"; fi
    done
}

# The answer is on standard output, and its last line is the exit status. Tools print errors on standard error.
ask_database() {
    enter_live
    exec 5>&1
    {
        {
            timeout -k 1 "$1" sh -c "umask 022$NL$RO_SCHEMA_CURRENT" </dev/null 3>&- 5>&-
            printf '\n%s\n' "$?" >&3
        } 2>&1 >&3 | tail -n 3 | prefixed complaint >&5
    } 3>&1 | head -c 500000 | prefixed version
    exec 5>&-
}

what_it_knows() {
    if [ -z "$RO_SCHEMA_FILE" ]; then
        say schema "$1"
        lines "$RO_SCHEMA_MIGRATIONS" show_migrations "$1"
    elif [ -f "$RO_SCHEMA_FILE" ] && [ -r "$RO_SCHEMA_FILE" ]; then
        say schema "$1"
        head -c 60000 -- "$RO_SCHEMA_FILE" | prefixed "knows$TAB$1"
    fi
}

# show_migrations RELEASE PATTERN
show_migrations() {
    # shellcheck disable=SC2086 # the pattern is a glob
    for file in $2; do
        case $file in *[[:cntrl:]]*) continue ;; esac
        [ ! -e "$file" ] || say knows "$1" "$file"
    done
}
