# The releases on this host, as a table.

show_list() {
    make_plan
    live=${live:-$live_state $live_path}
    show "$this_host: live is $live"
    for trouble in "$blockers_found" "$units_found" "$warnings_found" "$lease_found" \
        "${interrupted_to:+a rollback to $interrupted_to was interrupted; the next run continues it}"; do
        [ -z "$trouble" ] || show "  ! $trouble"
    done
    weigh
    [ -z "$releases_found" ] || show "$(lines "$releases_found" show_row)"
    case $decision in
        plan) show "✓ a rollback would go to $target" ;;
        nothing) show "✓ nothing to do: $why" ;;
        *) show "✗ $why${hint:+$NL  $hint}" ;;
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
