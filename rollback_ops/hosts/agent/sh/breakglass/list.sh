# The releases on this host, as a table.

show_list() {
    make_plan
    show "$this_host: live is ${live:-$live_state $live_path}"
    for words in "$blockers_found" "$doubts" "$under_way" "$lease_found" \
        "${interrupted_to:+a rollback to $interrupted_to was interrupted; the next run continues it}"; do
        [ -z "$words" ] || show "  ! $words"
    done
    lines "$holds_found" show_hold
    [ -z "$table" ] || show "$table  order: $order, newest first"
    case $decision in
        plan) show "✓ a rollback would go to $target" ;;
        nothing) show "✓ nothing to do: $why" ;;
        *) show "✗ $why${hint:+$NL  $hint}" ;;
    esac
}

show_hold() {
    show "  ! $1"
}

# Add a line to table.
add_row() {
    point=' '
    if [ "$name" = "$live_name" ]; then
        point='●'
    elif [ "$name" = "$target" ] && [ -z "$equal" ]; then
        point='→' against='a rollback would choose this one'
    fi
    table=$table$(printf '%s  %-30s  %-12.12s  %-20s  %s' "$point" "$name" "$revision" "$notes" "$against")$NL
}
