# The entry of the installed agent: a person's options, a restricted key's request, or an operation of the agent.

break_glass() {
    [ -z "${RO_HURRY:-}" ] || hurry
    case $0,${1:-} in
        rollback-ops,install | rollback-ops,uninstall) operate "$@" ;;
        # Sent here by `rollback-ops`, or by ourselves, having become root.
        rollback-ops,* | *,worker | *,aftermath | *,fire) main "$@" ;;
        *)
            RO_SELF=$(cat -- "$0") || exit 64
            case ${1:-} in
                --request)
                    shift
                    request "$@"
                    ;;
                --forced)
                    [ "$#" -le 2 ] || no_request
                    set -- --forced "${2-${SSH_ORIGINAL_COMMAND:-}}"
                    # What the rules look at may be readable by root only.
                    if become_root; then exec sudo -n -- "$0" "$@"; fi
                    forced "$2"
                    ;;
                *) person "$@" ;;
            esac
            ;;
    esac
}
