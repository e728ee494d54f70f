# shellcheck shell=bash disable=SC2034,SC2153 # the parts share variables
# Frames that are seen twice: a mirror inside the switch, a reflection outside.

mirror_prepare() { need_vm; }
mirror_on() {
    cable "$HOST" mir0 02:00:00:00:5a:00 switch "$HOST-mir0"
    ip -n "$(ns switch)" link set "$HOST-mir0" up
    keep_from_stack "$HOST" mir0
    ip -n "$(ns "$HOST")" link set mir0 up
    inside "$HOST" ovs-vsctl --timeout=60 -- add-port vswitch0 mir0 -- --id=@out get Port mir0 \
        -- --id=@span create Mirror name=span0 select-all=true output-port=@out \
        -- set Bridge vswitch0 mirrors=@span >/dev/null
}
mirror_sees() { inside "$HOST" cat /sys/class/net/mir0/statistics/tx_packets; }
mirror_broken() {
    local before
    before=$(mirror_sees)
    vm_reaches_gw || return 1
    (($(mirror_sees) > before + 4)) || { WHY="mir0 has got no copies" && return 1; }
    WHY="the mirror span0 sends a copy of everything to mir0, and $WHY"
}
mirror_off() {
    inside "$HOST" ovs-vsctl --timeout=60 -- clear Bridge vswitch0 mirrors -- --if-exists del-port vswitch0 mir0
    inside "$HOST" nft delete chain netdev netcap_lab mir0 2>/dev/null || true
    ip -n "$(ns "$HOST")" link del mir0 2>/dev/null || true
}
mirror_repaired() { vm_reaches_gw; }

# The port of the physical switch sends back what it floods, so the vswitch learns the VM outside. The VM asks for an
# address nobody has: what a VM announces Open vSwitch does not learn from a bond again for 5 s.
reflect_set() {
    local member
    for member in eth2 eth3; do inside switch bridge link set dev "$HOST-$member" hairpin "$1"; done
}
reflect_prepare() { need_vm; }
reflect_on() {
    reflect_set on
    job_start "reflect-$HOST" "$VICTIM" arping -q -b -i 1 -I eth0 "$(vm_net).77"
}
reflect_loses() {
    LOST=$(loss_of gw "$(vm_ip "$VICTIM")" 20 0.1)
    ((${LOST:-0} > 20))
}
reflect_broken() {
    until_true 6 reflect_loses || { WHY="the gateway loses ${LOST:-none} % of its pings to $VICTIM" && return 1; }
    WHY="the switch sends the broadcasts of $HOST back: after each of $VICTIM nothing reaches it until it speaks again; the gateway loses $LOST % of its pings"
}
reflect_off() {
    job_stop "reflect-$HOST"
    reflect_set off
    announce "$VICTIM" eth0 "$(vm_ip "$VICTIM")"
    announce "$HOST" vswitch0 "$(host_ip "$HOST")"
}
reflect_repaired() { vm_reaches_gw && host_reachable; }
