# The order of releases, as core/order.py has it. A release whose key sorts higher is newer; where keys are equal, or one
# is empty, nobody can tell.

# detect_order NAMES: set order (natural, semver, deployed) and mixed (a warning).
detect_order() {
    order=$RO_ORDER mixed=''
    [ -z "$order" ] || return 0
    kinds=$(printf '%s' "$1" | sed -E "$RO_KINDS" | sort -u)
    # Some commits have no letter.
    case $NL$kinds$NL in *"${NL}commits$NL"*)
        lengths=$(printf '%s' "$1" | sed 's/./x/g' | sort -u | wc -l)
        [ "$lengths" != 1 ] || printf '%s' "$1" | grep -qvE -e "$RO_COMMIT" || kinds=commits
        ;;
    esac
    case $kinds in
        *"$NL"*)
            in_words order-mixed "$(printf '%s' "$kinds" | tr '\n' '|' | sed 's/|/, /g')"
            order=deployed mixed=$words
            ;;
        versions) order=semver ;;
        commits | words) order=deployed ;;
        *) order=natural ;;
    esac
}

# Set by_log: whether the log of a deployment tool has all of these releases. Otherwise it says nothing of their place.
see_log() {
    by_log=yes
    lines "$1" is_logged || by_log=''
}

is_logged() {
    case $logged in *"$NL$1$SEP"*) ;; *) return 1 ;; esac
}

# key_of NAME: set key.
key_of() {
    case $order in
        natural) natural_key "$1" ;;
        semver) case $versions in *"$NL$1$NL"*) version_key "$1" ;; *) key='' ;; esac ;;
        deployed)
            if [ -n "$by_log" ]; then place_in "$logged" "$1"; else place_in "$times" "$1"; fi
            natural_key "${place#0}"
            ;;
    esac
}

# place_in LINES NAME: set place, from the last line of this name.
place_in() {
    case $1 in
        *"$NL$2$SEP"*)
            place=${1##*"$NL$2$SEP"}
            place=${place%%["$NL$SEP"]*}
            ;;
        *) place='' ;;
    esac
}

# Numbers sort behind their length, and begin with what sorts first.
natural_key() {
    key='' left_over=$1
    while [ -n "$left_over" ]; do
        part=${left_over%%[0-9]*}
        left_over=${left_over#"$part"}
        key=$key$part
        [ -n "$left_over" ] || break
        part=${left_over%%[!0-9]*}
        left_over=${left_over#"$part"}
        part=${part#"${part%%[!0]*}"}
        length=00${#part}
        key="$key ${length#"${length%???}"}$part"
    done
}

# Behind the numbers of a version comes ~, or what makes it a pre-release: each part a number, or ~ and a text.
version_key() {
    core=${1#v} rest='' pre=''
    core=${core%%+*}
    case $core in *-*) rest=${core#*-}. core=${core%%-*} ;; esac
    case $core in *.*.*) ;; *) core=$core.0 ;; esac
    while [ -n "$rest" ]; do
        part=${rest%%.*}
        rest=${rest#*.}
        key=" ~$part"
        case $part in *[!0-9]*) ;; *) natural_key "$part" ;; esac
        pre=$pre$key
    done
    natural_key "$core"
    key=$key${pre:-"~"}
}
