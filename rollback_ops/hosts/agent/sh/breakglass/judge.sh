# Judges the answers of checks as checks/*.py do, and what they mean as core/watch.py does. Times are in hundredths of a
# second since the verification began.

# judge TABLE CLOCK: set table, with the answers in answered (asked at asked_at) and in process counted. Its first line is
# "round", then: going, or what the verification comes to (yes, no or unknown); whether a failure is evident; the seconds until the
# next round; and the checks that are asked then.
judge() {
    table=$(printf '%s\n' "clock$TAB$asked_at$TAB$2$TAB$stopped" "$process" "$answered" "$1" | awk "$JUDGE") || table=''
}

# Of a check, SINCE is - while it does not count as passing. PASSED_AT is when it was asked last with success, FIRST when it
# had passed first.
JUDGE='
BEGIN {
    FS = OFS = "\t"
    passed_until = due = NEVER = 999999999
    VERDICT = 2; FIRST = 3; DUE = 6; NUMBER = 7; HOW = 8; EVERY = 9; WINDOW = 10; LIMIT = 11; SUCCESSES = 12; ALLOWED = 13; FAST = 14
    PASSES = 15; FAILURES = 16; FAILED = 17; SINCE = 18; PASSED_AT = 19; DETAIL = 20
}
$1 == "clock" { asked_at = $2; clock = $3; stopped = $4 }
$1 == "process" { process = $2; process_final = $3; process_detail = $4 }
$1 == "said" {
    line = substr($0, length($2) + 7)
    gsub(/[[:cntrl:]]/, " ", line)
    if (line != "") said[$2] = said[$2] "\n" line
}
$1 == "answered" { status[$2] = $3 "" }
$1 == "round" { evident = $3; asked = $5 }
$1 == "check" {
    if (index(asked, " " $NUMBER " ") && $DUE < NEVER) judge()
    if ($VERDICT != "skipped") weigh()
    rows = rows "\n" $0
    number[++many] = $NUMBER
    dues[many] = $DUE
}
function judge(   n) {
    $VERDICT = "unknown"
    if ($HOW == "ask_process") {
        $VERDICT = process
        $DETAIL = process_detail
        if (process_final) final = 1
    } else {
        n = answers++
        $DETAIL = last_lines(said[n])
        judge_status(status[n], $DETAIL == "" ? "" : ": " $DETAIL)
    }
    $FAILED = $VERDICT == "failed" ? $FAILED + 1 : 0
    if ($FAST == "yes" && $FAILED >= $ALLOWED + 0) final = 1
    $DUE = $VERDICT == "skipped" ? NEVER : clock + $EVERY
    if ($EVERY < 40) $EVERY = $EVERY > 30 ? 40 : int($EVERY * 13 / 10) + 1
    if ($VERDICT == "passed") {
        $FAILURES = 0
        if (++$PASSES < $SUCCESSES + 0) return
        $PASSED_AT = asked_at
        if ($SINCE == "-") $SINCE = asked_at
        if ($FIRST == 0) $FIRST = clock
    } else if ($VERDICT != "skipped") {
        $PASSES = 0
        if (++$FAILURES >= $ALLOWED + 0) $SINCE = "-"
        if ($VERDICT == "failed" && $FAILURES == $ALLOWED + 0) evident = 1
    }
}
# Some commands are our own (questions.py): 69 says that this host has no tool for it, 70 that the answer is final, 126 that it
# could not be asked.
function judge_status(code, shown) {
    if (code == "") $DETAIL = "the host did not report the exit status"
    else if (code == 0) $VERDICT = "passed"
    else if (code == 126 || code == 127) {
        if ($HOW == "ask_command") $DETAIL = "it could not be run (exit status " code ")" shown
    } else {
        $VERDICT = "failed"
        if ($HOW == "ask_command") $DETAIL = "exit status " code shown
        else if (code == 69) $VERDICT = "skipped"
        else if (code == 70) final = 1
    }
}
function last_lines(text,   lines, n, i, all) {
    n = split(text, lines, "\n")
    for (i = n > 4 ? n - 2 : 2; i <= n; i++) all = all (all == "" ? "" : " ") lines[i]
    return substr(all, 1, 300)
}
# What a check means for all of them together: since when all pass, and whether one has failed at its deadline.
function weigh() {
    if ($LIMIT > deadline) deadline = $LIMIT + 0
    if ($WINDOW > widest) widest = $WINDOW + 0
    if ($DUE < due) due = $DUE + 0
    if ($VERDICT == "failed") failing = 1
    if ($SINCE == "-") {
        missing = 1
        if (clock >= $LIMIT + 0) hopeless = 1
        return
    }
    if ($FAILURES != 0) missing = 1
    if ($SINCE > together) together = $SINCE + 0
    if ($PASSED_AT - $WINDOW < passed_until) passed_until = $PASSED_AT - $WINDOW
}
END {
    # When only one more pass is missing, ask all as soon as it counts.
    goal = missing ? NEVER : together + widest
    when = goal < due ? goal : due
    verdict = "going"
    if (hopeless || final || stopped != "" || clock >= deadline) verdict = evident || failing ? "no" : "unknown"
    if (!missing && !final && passed_until >= together) verdict = "yes"
    asked = " "
    # A sleep may end within the hundredth before the one that it was for.
    for (i = 1; i <= many; i++) if (dues[i] <= when + 1 || (dues[i] < NEVER && goal <= when + 1)) asked = asked number[i] " "
    print "round", verdict, evident + 0, sprintf("%.2f", (when > clock ? when - clock : 0) / 100), asked
    print substr(rows, 2)
}
'
