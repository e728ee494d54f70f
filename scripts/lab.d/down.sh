# shellcheck shell=bash disable=SC2034,SC2153 # the parts share variables
# Taking the lab down. Everything is found by name or by mark, not by a list that
# `up` wrote, so a lab is cleared wherever its `up` was killed.

namespaces() {
    local path
    for path in /run/netns/"nclab.$LAB."*; do
        [[ ! -e $path ]] || basename "$path"
    done
}

# Leave in PIDS everything of this lab that runs, by mark and by namespace: some
# daemons overwrite their environment, and some processes of a killed `up` have
# not yet entered a namespace.
find_lab_pids() {
    local name pid found
    find_marked "NETCAP_LAB_MARK=$LAB"
    for name in $(namespaces); do
        mapfile -t found < <(ip netns pids "$name" 2>/dev/null)
        for pid in "${found[@]}"; do keep_pid "$pid"; done
    done
}

teardown() {
    local end=$((SECONDS + 3 * PATIENCE)) name path
    while :; do
        find_lab_pids
        ((${#PIDS[@]})) || break
        ((SECONDS < end)) || die "processes of lab '$LAB' do not die: ${PIDS[*]}"
        kill -KILL "${PIDS[@]}" 2>/dev/null || true
        sleep 0.03
    done
    for name in $(namespaces); do ip netns del "$name"; done
    awk -v dir="$STATE/" 'index($5, dir) == 1 { print $5 }' /proc/self/mountinfo | sort -r | while read -r path; do
        umount -l "$path"
    done
    rm -rf --one-file-system "${STATE:?}"
    rmdir --ignore-fail-on-non-empty "$ROOT" 2>/dev/null || true
}

cmd_down() {
    local was=0
    [[ ! -e $STATE && -z $(namespaces) ]] || was=1
    teardown
    if ((was)); then say "lab '$LAB' is down"; else say "lab '$LAB' was not up"; fi
}
