# The releases on this host, as a table.

show_list() {
    make_plan
    live=${live:-$live_state $live_path}
    printf '%s: live is %s\n' "$this_host" "$live"
    for trouble in "$blockers_found" "$units_found" "$warnings_found" "$lease_found"; do
        [ -z "$trouble" ] || printf '  ! %s\n' "$trouble"
    done
    [ -z "$interrupted_to" ] || printf '  ! a rollback to %s was interrupted: the next one takes it up\n' "$interrupted_to"
    against=''
    weigh
    lines "$releases_found" show_row
    case $decision in
        plan) printf '✓ a rollback would go to %s\n' "$target" ;;
        nothing) printf '✓ nothing to do: %s\n' "$why" ;;
        *) printf '✗ %s\n' "$why${hint:+$NL  $hint}" ;;
    esac
}

show_row() {
    fields=$1
    next
    next
    name=$field point=' '
    next
    problem=$field
    next
    revision=$(printf '%.12s' "$field")
    next
    mark=$field
    [ "$fields" != yes ] || mark="$mark${mark:+, }sealed"
    [ -z "$problem" ] || mark="$mark${mark:+, }incomplete"
    speaks=${NL}$against
    speaks=${speaks#*"$NL$name$TAB"}
    speaks=${speaks%%"$TAB"*}
    if [ "$name" = "$live_name" ]; then
        point='●'
    elif [ "$name" = "$target" ]; then
        point='→' speaks='a rollback would choose this one'
    fi
    printf '%s  %-30s  %-12s  %-20s  %s\n' "$point" "$name" "$revision" "$mark" "$speaks"
}
