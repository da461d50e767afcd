# The order of releases, as core/order.py has it. A release whose key sorts higher is newer; where keys are equal, or one
# is empty, nobody can tell.

# Set anchor (the release that older ones are older than) and anchor_key, order (natural, semver or deployed), mixed (a
# warning), and releases_found: the lines of found, newest first, each with its key in the place of its place and time.
sort_releases() {
    anchor=$origin gone=''
    case $NL$found in *"$NL$anchor$SEP"*) ;; *)
        # A release that is gone is still the one that was left: what is newer must not be chosen.
        [ "$live_state" = dangling ] || [ -n "$interrupted_to" ] || anchor=''
        gone=${anchor:+$anchor$NL}
        ;;
    esac
    detect_order "$usable$gone"
    versions=$NL$(printf '%s' "$found$gone" | sed -nE "s/$SEP.*//; /$RO_VERSION/p")$NL
    releases_found=$(printf '%s' "$found$gone" | with_keys | sort -r)
    while IFS=$SEP read -r key name _; do
        [ "$name" != "$anchor" ] || anchor_key=$key
    done <<END
$releases_found
END
}

# detect_order NAMES: set order and mixed.
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
    order=natural
    case $kinds in
        *"$NL"*)
            in_words order-mixed "$(printf '%s' "$kinds" | tr '\n' '|' | sed 's/|/, /g')"
            order=deployed mixed=$words
            ;;
        versions) order=semver ;;
        commits | words) order=deployed ;;
    esac
}

with_keys() {
    while IFS=$SEP read -r name at time fields; do
        key=''
        case $order,$versions in
            # Of two names that differ in leading zeros only, the text decides. A tab sorts before what a name has.
            natural,*) natural_key "$name" && key=$key$TAB$name ;;
            semver,*"$NL$name$NL"*) version_key "$name" ;;
            # A log that lacks some of the releases says nothing of their place.
            deployed,*) if [ -n "$by_log" ]; then natural_key "$at"; else natural_key "${time#0}"; fi ;;
        esac
        printf '%s\n' "$key$SEP$name$SEP$fields"
    done
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
