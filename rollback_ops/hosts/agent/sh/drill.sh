# An open drill: one that has gone back, and whose way forward has not been taken yet. $state/drill has its run, the
# release from which it started, and its target. Without a drill nothing here costs a process.

# Set drill_run, drill_start and drill_target; empty without one.
read_drill() {
    drill_run='' drill_start='' drill_target=''
    [ ! -r "$state/drill" ] || IFS=$TAB read -r drill_run drill_start drill_target <"$state/drill" || drill_run=''
}

# Before a transaction: note the first way of a drill. Where another release is live than the target of the last drill,
# that drill is over.
begin_drill() {
    read_drill
    [ -z "$drill_run" ] || [ "$live_name" = "$drill_target" ] || { rm -f -- "$state/drill" && drill_run=''; }
    case $intent in
        *'"trigger":"drill"'*)
            [ -n "$drill_run" ] || [ "$live_name" = "$target" ] ||
                { say "${run%.*}" "$live_name" "$target" >"$state/drill" && sync -- "$state/drill"; }
            ;;
    esac
}

# It is open for as long as its target is live.
end_drill() {
    [ -e "$state/drill" ] || return 0
    read_drill
    find_live
    [ "$live_name" = "$drill_target" ] || rm -f -- "$state/drill"
}

show_drill() {
    read_drill
    [ -z "$drill_run" ] || say drill "$drill_run" "$drill_start" "$drill_target"
}
