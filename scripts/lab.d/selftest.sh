# shellcheck shell=bash disable=SC2034,SC2153 # the parts share variables
# The lab's test of itself: raise, break, repair, kill in the middle, look for remains.

PASSED=0 FAILED=0

verdict() { # verdict STATUS TEXT
    if (($1 == 0)); then
        PASSED=$((PASSED + 1)) && say "ok    $2"
    else
        FAILED=$((FAILED + 1)) && say "FAIL  $2"
    fi
}

# expect TEXT CMD...: CMD must succeed; its words are shown when it does not.
expect() {
    local text=$1 out status=0
    shift
    out=$("$@" 2>&1) || status=$?
    verdict $status "$text"
    ((status == 0)) || say "        ${out//$'\n'/$'\n'        }"
}

refuse() {
    local text=$1
    shift
    if "$@" >/dev/null 2>&1; then verdict 1 "$text"; else verdict 0 "$text"; fi
}

# Succeeds when nothing of the lab is left.
nothing_left() {
    local left=0
    [[ -z $(namespaces) ]] || { say "namespaces: $(namespaces | paste -sd' ')" && left=1; }
    find_lab_pids
    ((${#PIDS[@]} == 0)) || { say "processes: ${PIDS[*]}" && left=1; }
    ! grep -F " $STATE/" /proc/self/mountinfo || left=1
    [[ ! -e $STATE ]] || { say "files: $(find "$STATE" | head -5 | paste -sd' ')" && left=1; }
    [[ $(machine_links) == "$LINKS_BEFORE" ]] || { say "links: $(machine_links)" && left=1; }
    return $left
}

machine_links() { ip -o link show | awk '{ print $2 }' | paste -sd' '; }

# Each fault on, refused a second time, off, and all well again: selftest_each NAME...
selftest_each() {
    local name
    for name in "$@"; do
        expect "$name on" "$SELF" fault on "$name"
        refuse "$name on twice is refused" "$SELF" fault on "$name"
        expect "$name off" "$SELF" fault off "$name"
        expect "healthy after $name" "$SELF" check
    done
}

selftest_faults() {
    selftest_each "${FAULTS[@]}" "${TWINS[@]}"
    expect "the MTU of a VM's port" "$SELF" fault on mtu --at vnet
    expect "and its end" "$SELF" fault off mtu
    refuse "a fault of a VLAN is refused without one" "$SELF" fault on trunk
    refuse "a fault of a Linux bridge is refused" "$SELF" fault on nwfilter
    expect "a conflict over a VM's address" "$SELF" fault on ip-conflict --victim vm1
    expect "and its end" "$SELF" fault off ip-conflict --victim vm1
    expect "unplugged" "$SELF" fault on unplug-vm
    refuse "a fault that cannot show its effect is refused" env NETCAP_LAB_PATIENCE=1 "$SELF" fault on acl-drop
    expect "plugged" "$SELF" fault off unplug-vm
}

selftest_libvirt() {
    expect "virsh knows vm1" "$SELF" exec host1 virsh -q dumpxml vm1
    expect "acl-drop with nwfilter" "$SELF" fault on acl-drop
    expect "the filter is there" "$SELF" exec host1 virsh -q nwfilter-dumpxml acl-test
    expect "acl-drop off" "$SELF" fault off acl-drop
    refuse "the filter is gone" "$SELF" exec host1 virsh -q nwfilter-dumpxml acl-test
}

# The faults that need a lab of another shape.
selftest_shapes() {
    expect "up with a VLAN" "$SELF" up --vlan 188
    selftest_each "${VLAN_FAULTS[@]}" vlan-tag
    expect "down" "$SELF" down
    expect "up with a Linux bridge" "$SELF" up --bridge
    expect "its status" "$SELF" status
    selftest_each "${BRIDGE_FAULTS[@]}"
    expect "nwfilter towards the VM" "$SELF" fault on nwfilter --direction in
    expect "and its end" "$SELF" fault off nwfilter
    refuse "a fault of Open vSwitch is refused" "$SELF" fault on mtu
    expect "down" "$SELF" down
}

# Killed at once, early, in the middle, and late; only the script itself is
# killed, as the worst case: what it started runs on until `down`.
selftest_kills() {
    local after pid
    for after in 0.05 0.15 0.3 0.45 0.6 0.8; do
        "$SELF" up >/dev/null 2>&1 &
        pid=$!
        sleep "$after"
        kill -KILL "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
        expect "down after a kill at $after s" "$SELF" down
        expect "nothing is left of it" nothing_left
    done
}

# Two labs at once, of the same shape: neither sees the other.
selftest_side_by_side() {
    local other=${LAB}b
    expect "a second lab beside the first" env NETCAP_LAB="$other" "$SELF" up --hosts 2 --vms 1 --vlan 188
    expect "the second is healthy" env NETCAP_LAB="$other" "$SELF" check
    expect "acl-drop in a VLAN" env NETCAP_LAB="$other" "$SELF" fault on acl-drop --host host2
    expect "ip-conflict in a VLAN" env NETCAP_LAB="$other" "$SELF" fault on ip-conflict --victim vm1
    expect "the first is healthy all the while" "$SELF" check
    expect "the second is down" env NETCAP_LAB="$other" "$SELF" down
    expect "the first is healthy still" "$SELF" check
}

cmd_selftest() {
    local extra=()
    # A lab of its own, so that a lab that is up is left alone.
    export NETCAP_LAB=selftest-$$
    LAB=$NETCAP_LAB STATE=$ROOT/$NETCAP_LAB
    LINKS_BEFORE=$(machine_links)
    [[ -n $(packages missing "${LIBVIRT_TOOLS[@]}") ]] || extra=(--libvirt)
    trap 'NETCAP_LAB=${LAB}b "$SELF" down >/dev/null; teardown' EXIT
    expect "up ${extra[*]}" "$SELF" up "${extra[@]}"
    refuse "up twice is refused" "$SELF" up
    expect "check" "$SELF" check
    expect "traffic on" "$SELF" traffic start
    ((${#extra[@]} == 0)) || selftest_libvirt
    selftest_faults
    expect "traffic off" "$SELF" traffic stop
    selftest_side_by_side
    expect "down" "$SELF" down
    expect "nothing is left of it" nothing_left
    expect "down twice" "$SELF" down
    selftest_shapes
    selftest_kills
    say "$PASSED passed, $FAILED failed, in $SECONDS s"
    ((FAILED == 0))
}
