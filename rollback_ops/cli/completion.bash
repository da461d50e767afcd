# bash breaks words at @, : and =, which hosts have: give the program whole words, and bash the part that it asks for ($2).
_rollback_ops_whole_words() {
    local word whole=() line=$COMP_LINE at=0 number
    for number in "${!COMP_WORDS[@]}"; do
        word=${COMP_WORDS[number]}
        if [[ $number == 0 || $line == [[:space:]]* || -z $word ]]; then
            whole+=("$word")
        else
            whole[-1]+=$word
        fi
        line=${line#"${line%%[![:space:]]*}"}
        line=${line#"$word"}
        if ((number == COMP_CWORD)); then at=$((${#whole[@]} - 1)); fi
    done
    local COMP_WORDS=("${whole[@]}") COMP_CWORD=$at before=${whole[at]%"$2"}
    _rollback_ops_completion "$@"
    if [[ $before == --*=* ]]; then before=${before#*=}; fi
    COMPREPLY=("${COMPREPLY[@]#"$before"}")
}

complete -o nosort -F _rollback_ops_whole_words rollback-ops
