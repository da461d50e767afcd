# Surveys this host, and chooses the target.

# Set decision and what comes with it (decide.sh), and warnings. Skips releases that differ from their manifest.
choose() {
    broken='' unstartable='' killed="blocker${TAB}the look at this host was killed before it ended"
    surveyed=$(survey no) || surveyed=$surveyed$NL$killed
    surveyed=$(printf '%s\nend\n' "$surveyed" | plain)
    # The pipe may have lost releases.
    case $surveyed in *"${NL}end") ;; *) surveyed=$surveyed$NL$killed ;; esac
    STATE=$(printf '%s\n' "$surveyed" | sed -n "s/^state$TAB//p") &&
        unstartable=$(printf '%s\n' "$STATE" | sed -n "$RO_UNSTARTABLE") || surveyed=$surveyed$NL$killed
    surveyed=$surveyed$NL$(printf '%s' "$unstartable" | prefixed blocker)
    took
    find_seconds=$seconds
    while decide && [ "$decision,$emergency" = plan, ] && [ "$doing" != list ] && is_broken; do :; done
    warnings=$(of warning)
    [ "$decision" != plan ] || warn_of_others
}

decide() {
    decided=$(
        printf '%s\n' "$RO_WORDS" "$broken" "$surveyed" |
            host=$this_host doing=$doing backup=$backup if_current=$if_current emergency=$emergency ignored=$ignore_deploy_lock \
                order=$RO_ORDER at=$(date +%s) awk "$ORDER$READ$DECIDE"
    ) || decided=''
    IFS=$SEP read -r decision target origin interrupted_to live_path forward why hint <<END
${decided:-"refused$SEP$SEP$SEP$SEP$SEP${SEP}this host has no awk, or it failed"}
END
}

# of TAG: print the lines with this tag in the answer of decide.
of() {
    printf '%s\n' "$decided" | sed -n "s/^$1$TAB//p"
}

# Whether the target differs from its manifest: then it is broken. Runs the checks of phase before, too: where one does
# not pass, the decision is another.
is_broken() {
    identify "$target"
    manifest_of "$target"
    [ -n "$manifest$RO_BEFORE" ] || return 1
    tell_phase inspect "asking $target before anything is stopped"
    release=$target
    answered=$(ask_before | plain)
    compared=$(printf '%s\n' "$answered" | sed -n "s/^manifest$TAB//p")
    case ${manifest:+sealed},$compared in
        *,failed*)
            why=${compared#failed} why=${why#"$TAB"}
            broken="$broken${NL}broken$TAB$target${TAB}its files are not the sealed ones on $this_host${why:+: $why}"
            return
            ;;
        ,* | *,ok*) ;;
        *)
            decision=refused hint='' why="the files of $target could not be compared with the sealed ones"
            return 1
            ;;
    esac
    [ -n "$RO_BEFORE" ] || return 1
    judge "$RO_BEFORE" 0
    while read_row; do
        case $tag,$verdict in
            round,* | check,passed) continue ;;
            check,*) why="the check $name says that $target would not work: $detail" ;;
            *) why="the checks of $target could not be judged: this host has no awk, or it failed" ;;
        esac
        decision=refused hint=''
        break
    done <<END
$table
END
    return 1
}

# What is not in the survey: a rollback in waves that has it in its plan and no record yet, and migrations.
warn_of_others() {
    planned=$(grep '^{"event":"plan",' "$journal" 2>/dev/null | grep -F ",$ABOUT," | tail -n 1 | plain)
    waves=${planned#*'"id":"'} to=${planned#*'"target":"'}
    waves=${waves%%'"'*}
    [ -z "$planned" ] || grep -qF "\"plan\":{\"id\":\"$waves\"" "$journal" ||
        warn "$this_host: the rollback $waves in waves to ${to%%'"'*} has no record yet: it may still change this host"
    [ -n "$RO_SCHEMA_MIGRATIONS" ] && [ -n "$origin" ] || return 0
    lacking=$({ migrations "$origin"; migrations "$target"; migrations "$target"; } | sort | uniq -u | head -n 6 | plain | tr '\n' ' ')
    [ -z "$lacking" ] || warn "$this_host: $target lacks migrations of $origin: ${lacking% }"
}

migrations() {
    (cd -- "$releases/$1" 2>/dev/null && what_it_knows "$1") | sed -n "s/^knows${TAB}[^ ]*$TAB//p"
}

# Wait for a lease that its owner does not renew: it is over in ten seconds at most.
await_lease() {
    read_lease
    [ "$left" -gt 0 ] && ! lock_is_held || return 0
    seconds "$left"
    tell_phase wait "locked by ${lease_owner:-another run} since $lease_since; it is over in $seconds s, if its owner does not renew it"
    first=$lease_until
    while [ "$left" -gt 0 ] && [ "$lease_until" = "$first" ]; do
        sleep 0.2
        read_lease
    done
}
