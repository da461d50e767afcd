# The rules for a restricted key: it may do what a plan would do, and write records of its own run only.

# may_switch RUN TARGET SOURCE BREAK-LOCK OWNER RUN-URL INTENT [RELINK [RESET]]
may_switch() {
    is_plain "$@"
    if [ "$#" -lt 7 ] || ! safe_name "$2"; then no_request; fi
    # shellcheck disable=SC2254 # a pattern
    case $2 in $RO_PATTERN) ;; *) no_request ;; esac
    look_at_current
    find_open
    origin=$(release_behind "$open_source")
    is_own_line "$1" "$7" intent || no_request
    case ${7#*'"from":'} in *'"from":'*) no_request ;; esac
    way=',"to":"'$2'",'
    case $7 in *',"from":null'"$way"* | *",\"from\":\"$live_name\"$way"* | *",\"from\":\"$origin\"$way"*) ;; *) no_request ;; esac
    target=$2
    object "$1" "$4" "$7"
    [ -z "$objection" ] || refuse_switch "$target cannot be used: $objection"
    [ "$4" != yes ] || in_a_hurry
}

refuse_switch() {
    say ''
    say rollback-ops 1 switch
    say result refused '' '' "$1"
    say end 0
    exit
}

# object RUN EMERGENCY INTENT: set objection, why a plan would not take target. As in a plan, a release that was named, and
# any release in an emergency, may be marked bad. A transaction that was interrupted, or goes back, is finished.
object() {
    objection='files of its root are not trusted'
    found=$NL$(sizes=no; guarded; find_deploying; list_releases)
    case $found in *"${NL}blocker$TAB"*) return ;; esac
    objection='it is gone'
    case $found in *"${NL}release$TAB$target$TAB"*) found=${found#*"${NL}release$TAB$target$TAB"} ;; *) return ;; esac
    # Without a process: one that was killed would have found nothing.
    problem=${found%%"$TAB"*} mark=${found#*"$TAB"*"$TAB"}
    mark=${mark%%"$TAB"*}
    objection=${problem:+it $problem}
    case $NL$RO_WORDS in *"${NL}word${TAB}problem-$problem$TAB"*)
        objection=${RO_WORDS#*"${NL}word${TAB}problem-$problem$TAB"}
        objection=${objection%%"$NL"*}
        ;;
    esac
    [ -z "$objection" ] || return 0
    case $mark,$3 in bad,*'"mode":"standard",'*) [ "$target" = "$open_target" ] || is_put_back "$1" || objection='it is marked bad' ;; esac
    [ "$2" != yes ] || return 0
    identify "$target"
    manifest_of "$target"
    [ -n "$manifest" ] || return 0
    case $(compare_manifest "$target") in "manifest${TAB}ok"*) ;; *) objection='its files are not the sealed ones' ;; esac
}

# Whether the run started from target, and goes back to it.
is_put_back() {
    case ${1#*.} in "$1" | again*) return 1 ;; esac
    [ -r "$state/runs/${1%.*}/order" ] || return 1
    { read -r _ && IFS= read -r before; } <"$state/runs/${1%.*}/order"
    [ "$(release_behind "$before")" = "$target" ]
}

# may_record RUN LINE [MARK RELEASE]…
may_record() {
    is_plain "$@"
    [ "$#" -ge 2 ] || no_request
    if [ -n "$2" ] && ! { is_own_line "$1" "$2" plan || is_own_line "$1" "$2" group || is_own_line "$1" "$2" schedule; }; then
        # A host has a directory of every run that changed something here, and the plan of one that was to.
        [ -d "$state/runs/${1%.*}" ] || grep -qF "{\"event\":\"plan\",\"id\":\"${1%.*}\"," "$journal" 2>/dev/null || no_request
        is_own_line "$1" "$2" record || no_request
    fi
    look_at_current
    known=" $live_name "
    for order in "$state/runs/${1%.*}"/order "$state/runs/${1%.*}".*/order; do
        [ -r "$order" ] || continue
        { IFS= read -r target && IFS= read -r before; } <"$order"
        left=$(sed -n 's/.*,"from":"\([^"]*\)","to":".*/\1/p' "${order%/order}/intent")
        known="$known$target $(release_behind "$before") $left "
    done
    shift 2
    while [ "$#" -ge 2 ]; do
        # Its own hold only: a key that could write the others could lift them.
        case $1,$known in hold,* | *" $2 "*) shift 2 ;; *) no_request ;; esac
    done
}

# is_own_line RUN TEXT KIND: whether it is one JSON object of this kind (intent, plan, group, schedule or record), about this run, service
# and environment. Each of these names stands in it once, as the last of two would count.
is_own_line() {
    own="\"id\":\"${1%.*}\",$ABOUT,"
    case $3,$2 in
        record,'{"schema_version":'[0-9],"$own"*) begins=schema_version ;;
        record,*) return 1 ;;
        *,"{\"event\":\"$3\",$own"*) begins=event ;;
        *) return 1 ;;
    esac
    KEY=$(printf '\001') VALUE=$(printf '\002')
    outline=$(outline "$2")
    case $outline in '{'"$KEY$begins:${VALUE},${KEY}id:$VALUE,${KEY}service:$VALUE,${KEY}environment:$VALUE,"*) ;; *) return 1 ;; esac
    rest=${outline#*"${KEY}environment:"}
    case $rest in *"${KEY}event:"* | *"${KEY}schema_version:"* | *"${KEY}id:"* | *"${KEY}service:"* | *"${KEY}environment:"* | *"${KEY}from:"*"${KEY}from:"* | *"${KEY}to:"*"${KEY}to:"*) return 1 ;; esac
    printf '%s\n' "$outline" | grep -qE "^\{${KEY}[a-z_]+:$VALUE(,${KEY}[a-z_]+:$VALUE)*\}$"
}

# outline JSON: the keys of an object, with VALUE for every value. Text that is not JSON gives another outline. In a plan,
# names of hosts are keys, too, below the first level.
outline() {
    printf '%s\n' "$1" | sed -E "
s@\"([a-z_]+)\":@$KEY\1:@g
s@([{,])\"[][A-Za-z0-9_.:%@+\$-]+\":@\1${KEY}HOST:@g
s@\"([^\"\\\\]|\\\\[\"\\\\/bfnrt]|\\\\u[0-9A-Fa-f]{4})*\"@$VALUE@g
s@([:,[])(true|false|null|-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?)@\1$VALUE@g
:again
s@\[($VALUE(,$VALUE)*)?\]@$VALUE@g
s@([:,[])\{(${KEY}[a-zA-Z_]+:$VALUE(,${KEY}[a-zA-Z_]+:$VALUE)*)?\}@\1$VALUE@g
t again"
}
