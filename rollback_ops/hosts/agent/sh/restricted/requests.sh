# Requests with a restricted key: an operation of the agent, or a person's options, and nothing else.

# forced TEXT: handle a command that came with a restricted key: an operation of `rollback-ops`, or a person's options.
# TEXT is never evaluated. A reason has several words: it comes last.
forced() {
    case $1 in *[!A-Za-z0-9._:@/+,=%~\ -]*) no_request ;; esac
    text=" $1" why=''
    case $text in *' --reason '*) why=${text#* --reason } text=${text%%" --reason $why"} ;; esac
    set -f
    # shellcheck disable=SC2086 # words, which have no wildcards
    set -- $text
    set +f
    case ${1:-${why:+--reason}},${2:-} in
        "$RO_ROOT/.rollback/rollback,--request")
            shift 2
            request "$@"
            ;;
        --*) person "$@" ${why:+--reason "$why"} ;;
        *) no_request ;;
    esac
}

no_request() {
    printf 'refused: this key may roll %s (%s) back, and nothing else\n' "$RO_SERVICE" "$RO_ENVIRONMENT" >&2
    exit 64
}

# request OPERATION [=ARGUMENT]…: an operation of the agent. In an argument everything but letters, digits and a few
# signs is a percent sign and three octal digits.
request() {
    operation=${1:-}
    [ "$#" = 0 ] || shift
    printf '%s' "$*" | LC_ALL=C grep -qvE '^(=([A-Za-z0-9._:@/+,=~-]|%[0-3][0-7]{2})*( |$))*$' && no_request
    count=$#
    while [ "$count" -gt 0 ]; do
        text=${1#=} count=$((count - 1))
        shift
        case $text in *%*) text=$(printf '%b.' "$(printf '%s' "$text" | sed 's/%/\\0/g')") text=${text%.} ;; esac
        set -- "$@" "$text"
    done
    # The first argument, a run or a release, becomes part of a path.
    case $operation,${1:-} in
        survey,* | history,* | schema,* | ask,) ;;
        *) safe_name "${1:-}" || no_request ;;
    esac
    case $operation in
        survey | history | schema | compare | follow) is_plain "$@" ;;
        record) may_record "$@" ;;
        switch) may_switch "$@" ;;
        inspect | ask)
            own_questions "$@"
            return
            ;;
        *) no_request ;;
    esac
    main "$operation" "$@"
}

# Refuse arguments with control characters, which could start a line or a field.
is_plain() {
    for text; do
        case $text in *[[:cntrl:]]*) no_request ;; esac
    done
}

# Run only commands from the settings baked in here; any other one is answered with an error.
own_questions() {
    [ "$#" -gt 0 ] || no_request
    about=$1
    shift
    is_plain "$about"
    release=$about
    if [ "$operation" = ask ]; then
        look_at_current
        release=$live_name
    fi
    count=$#
    [ $((count % 2)) = 0 ] || no_request
    while [ "$count" -gt 0 ]; do
        # A timeout, and behind it what its question may find in SINCE.
        case $1 in '' | ,* | *[!A-Za-z0-9.,:-]*) no_request ;; esac
        case ${1%%,*} in *[!0-9.]*) no_request ;; esac
        question=$2
        is_own_question "$question" ||
            question="echo 'the agent installed here has other settings: run rollback-ops install'; exit 126"
        set -- "$@" "$1" "$question"
        shift 2
        count=$((count - 2))
    done
    main "$operation" "$about" "$@"
}
