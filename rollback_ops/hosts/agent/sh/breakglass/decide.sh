# Decides what a rollback would do, from the lines of a survey: plan.make_plan for this one host, with the order of
# core/order.py. It also prints what --list shows.

# An awk program with order.sh and read.sh. The first line of its answer has, between SEP: plan, nothing or refused; the
# target; the release that is left; the target of an interrupted rollback; the text of current; whether the target is newer;
# why; and a hint. Then come lines "rejected NAME WHY", "warning TEXT" and "shown TEXT".
DECIDE='
function warn(text) { if (text != "") warned = warned "\nwarning\t" text }
function warn_here(text) { if (text != "") warn(asked["host"] ": " text) }
function show(text) { if (text != "") shown = shown "\nshown\t" text }
function because(text, advice) {
    if (text == "") return
    unfit = both(unfit, text, "; ")
    if (advice != "" && !hinted) { hint = advice; hinted = 1 }
}
function row(i, why,   point) {
    point = name[i] == live_name ? "●" : i == target && equal == "" ? "→" : " "
    if (point == "→") why = "a rollback would choose this one"
    notes = both(both(mark[i], sealed[i], " "), problem[i] == "" ? "" : "incomplete", " ")
    return sprintf("\nshown\t%s  %-30s  %-12.12s  %-20s  %s", point, name[i], revision[i], notes, why)
}
END {
    for (i = 1; i <= many; i++) at[name[i]] = i
    anchor = at[origin]
    # A release that is gone is still the one that was left: what is newer must not be chosen.
    if (!anchor && origin != "" && (state == "dangling" || interrupted != "")) {
        name[anchor = gone = ++many] = origin
        usable[origin]
    }
    order = asked["order"] == "" ? detect() : asked["order"]
    for (i = 1; i <= many; i++) { key[i] = key_of(i) ""; listed[i] = key[i] "\001" name[i] "\001" i }
    sort(listed, many)
    if (drill_start != drill_target && (live == drill_target || (live == drill_start && interrupted != "")) && state == "release")
        drilled = words("open-drill", drill_start, drill_target)
    ahead = anchor
    for (j = many; j; j--) {
        split(listed[j], part, "\001")
        sorted[j] = i = part[3]
        if (name[i] in broken) problem[i] = broken[name[i]]
        if (i == anchor) { ahead = ""; against[i] = i == gone ? "" : "it is the live one" }
        else if (anchor && (key[i] == "" || key[anchor] == "" || key[i] == key[anchor])) against[i] = words("order-unclear")
        else if (ahead) against[i] = "it is newer than the live one"
        else if (problem[i] != "") against[i] = problem[i]
        else if (mark[i] == "bad") against[i] = "it is marked bad"
        newer[i] = ahead && against[i] == "it is newer than the live one"
    }
    goes_on = at[drill_start]
    if (backup != "") {
        named = at[backup]
        if (named && problem[named] == "" && (backup != live || interrupted != "")) target = named
    } else if (drilled != "" && goes_on && problem[goes_on] == "" && mark[goes_on] != "bad") target = chosen = goes_on
    else {
        for (best = 2; best >= 0 && !target; best--)
            for (j = many; j; j--) {
                i = sorted[j]
                if (i == gone || against[i] != "" || kind[i] + 0 != best) continue
                if (!target) target = i
                else if (equal == "" && (key[i] == key[target] || key[i] == "")) equal = name[i]
            }
    }
    for (j = many; j; j--) {
        i = sorted[j]
        if (i == gone) continue
        if (i == target) passed = !(against[i] = "")
        else if (against[i] == "" && backup == "" && !chosen && equal == "" && kind[i] + 0 < kind[target] + 0 &&
            (!passed || key[i] == "" || key[i] == key[target])) against[i] = words("order-passed-" (kind[i] + 0), name[target])
        if (against[i] != "") rejected = rejected "\nrejected\t" name[i] "\t" against[i]
        table = table row(i, against[i])
    }
    to = name[target]
    make_decision()
    if (decision == "plan") warn_of_target()
    else rejected = unfit == "" && decision == "refused" ? rejected : ""
    show_list()
    print decision, to, origin, interrupted, path, newer[target] ? "yes" : "", why, hint
    print substr(rejected warned shown, 2)
}
# An emergency ignores all but the blockers.
function make_decision(   given) {
    if (needed != "") blockers = both(blockers, words("no-sudo", needed, user), "; ")
    if (state == "directory") blockers = both(blockers, "current is not a link, so it cannot be switched", "; ")
    if (state != "release") absent = words("live-" state, path)
    hint = blockers == "" ? "--list shows the releases, --backup NAME goes to one." : ""
    hinted = blockers != ""
    unfit = blockers
    if (asked["emergency"] == "") {
        because(warnings)
        if (asked["ignored"] == "")
            because(under_way, "Wait until it has ended. If it ended long ago, remove what it left, or use --ignore-deploy-lock.")
        because(lease, "Wait for it; an --emergency rollback takes the lock over.")
        if (backup == "") because(drilled, "--to " drill_start " goes forward to it, --to NAME to another release.")
        if (backup interrupted blockers == "") because(absent)
    }
    given = asked["if_current"]
    decision = "refused"
    if (given != "" && given != live && given != origin) {
        decision = "nothing"
        why = given " is no longer live (live: " (live == "" ? state : live) ")"
    } else if (unfit != "") why = unfit
    else if (equal != "") why = "it cannot be told which of " to " and " equal " is newer"
    else if (target) decision = "plan"
    else if (backup == "") why = "no eligible release"
    else if (!named) why = backup " is none of the releases"
    else if (backup == live && interrupted == "") why = backup " is the live release already"
    else why = backup " cannot be used: " problem[named]
}
function warn_of_target(   unsure) {
    if (backup != "" && mark[target] == "bad") warn(to " is marked bad; it was asked for by name")
    if (interrupted != "") warn_here("an interrupted rollback to " interrupted " is taken up")
    warn_here(drilled)
    if (asked["emergency"] asked["ignored"] != "") warn_here(under_way)
    if (asked["emergency"] != "") {
        warn_here(warnings)
        if (lease != "") warn_here(lease "; the lock is taken over")
        warn_here(absent)
    }
    if (!kind[target]) warn(words("order-never", to))
    if (backup == "") {
        if (kind[target] == 1) warn(words("order-last", to, left_why[target]))
        warn(mixed)
        unsure = certain[target] ? "" : to
        if (anchor && anchor != gone && !certain[anchor]) unsure = both(unsure, origin, " and ")
        if (order == "deployed" && unsure != "") warn(words("order-created", unsure))
    }
    if ("group" in word) warn(word["group"])
    if ("schema" in word) warn_here(words("schema", to, word["schema-command"]))
}
function show_list(   i) {
    for (i = 1; i <= held; i++) if (asked["doing"] == "check" || asked["doing"] == "dry-run") warn(holds[i])
    if (asked["doing"] != "list") return
    show(asked["host"] ": live is " (live == "" ? state " " path : live))
    split(blockers "\n" warnings "\n" under_way "\n" lease, told, "\n")
    for (i = 1; i <= 4; i++) if (told[i] != "") show("  ! " told[i])
    if (interrupted != "") show("  ! a rollback to " interrupted " was interrupted; the next run continues it")
    for (i = 1; i <= held; i++) show("  ! " holds[i])
    if (table != "") { shown = shown table; show("  order: " order ", newest first") }
    if (decision == "plan") show("✓ a rollback would go to " to)
    else if (decision == "nothing") show("✓ nothing to do: " why)
    else { show("✗ " why); if (hint != "") show("  " hint) }
}
'
