# shellcheck shell=bash disable=SC2034,SC2153 # the parts share variables
# Faults of VMs and their ports: off, down, bound to other addresses, one MAC twice.

port_down_prepare() { need_vm; }
port_down_on() { ip -n "$(ns "$HOST")" link set "$TAP" down; }
port_down_broken() {
    until_true 5 acl_cut || { WHY="$VICTIM still reaches the gateway" && return 1; }
    WHY="$TAP of $VICTIM is down, and still a port of vswitch0; $VICTIM reaches nobody"
}
port_down_off() { ip -n "$(ns "$HOST")" link set "$TAP" up; }
port_down_repaired() { vm_reaches_gw; }

# Off: as libvirt ends a domain, the port leaves the switch and the interface is gone.
vm_off_prepare() { need_vm; }
vm_off_on() {
    inside "$HOST" ovs-vsctl --timeout=60 --if-exists del-port vswitch0 "$TAP"
    ip -n "$(ns "$HOST")" link del "$TAP"
}
vm_off_broken() {
    ! ip -n "$(ns "$HOST")" link show "$TAP" >/dev/null 2>&1 || { WHY="$TAP is still there" && return 1; }
    reaches gw "$(vm_ip "$VICTIM")" && WHY="the gateway still reaches $VICTIM" && return 1
    WHY="$VICTIM is off: $TAP is no port of vswitch0, and no interface of $HOST"
}
vm_off_off() {
    local words
    if ! ip -n "$(ns "$HOST")" link show "$TAP" >/dev/null 2>&1; then
        cable "$VICTIM" eth0 "$(vm_mac "$VICTIM")" "$HOST" "$TAP"
        ip -n "$(ns "$HOST")" link set "$TAP" address "$(tap_mac "$VICTIM")"
        inside "$HOST" nft delete chain netdev netcap_lab "$TAP" 2>/dev/null || true
        keep_from_stack "$HOST" "$TAP"
        ip -n "$(ns "$HOST")" link set "$TAP" up
        plug "$VICTIM" eth0 "$(vm_ip "$VICTIM")/24" "$(vm_gw)"
    fi
    inside "$HOST" ovs-vsctl --timeout=60 --if-exists del-port vswitch0 "$TAP"
    mapfile -t words < <(vm_port_words "$VICTIM")
    inside "$HOST" ovs-vsctl --timeout=60 "${words[@]}"
}
vm_off_repaired() { vm_reaches_gw; }

BINDING_COOKIE=0x40

# A second address, which is not in the binding of the port.
binding_second() { printf '%s.%d' "$(vm_net)" $((200 + ${VICTIM#vm})); }

ip_mac_binding_prepare() { need_vm; }
ip_mac_binding_on() {
    local port own
    port=$(ofport "$HOST" "$TAP")
    own="in_port=$port,dl_src=$(vm_mac "$VICTIM")"
    inside "$VICTIM" ip addr add "$(binding_second)/24" dev eth0
    {
        say "cookie=$BINDING_COOKIE,priority=200,ip,$own,nw_src=$(vm_ip "$VICTIM") actions=NORMAL"
        say "cookie=$BINDING_COOKIE,priority=200,arp,$own,arp_spa=$(vm_ip "$VICTIM") actions=NORMAL"
        say "cookie=$BINDING_COOKIE,priority=190,ip,in_port=$port actions=drop"
        say "cookie=$BINDING_COOKIE,priority=190,arp,in_port=$port actions=drop"
    } | flows_add "$HOST"
}
binding_cut() { ! reaches gw "$(binding_second)"; }
ip_mac_binding_broken() {
    until_true 5 binding_cut || { WHY="the gateway reaches $(binding_second)" && return 1; }
    reaches gw "$(vm_ip "$VICTIM")" || { WHY="the gateway does not reach $(vm_ip "$VICTIM") either" && return 1; }
    WHY="$TAP is bound to $(vm_ip "$VICTIM"): what $VICTIM sends from $(binding_second) is dropped"
}
ip_mac_binding_off() {
    flows_del "$HOST" "cookie=$BINDING_COOKIE/-1"
    inside "$VICTIM" ip addr del "$(binding_second)/24" dev eth0 2>/dev/null || true
}
ip_mac_binding_repaired() { vm_reaches_gw; }

# The second VM of the host has the first one's MAC and speaks, so the switch sends frames now here, now there.
same_mac_prepare() {
    ((VMS >= 2)) || die "this fault needs two VMs on a host: run \`lab up --vms 2\`"
    VM_A=$(first_vm "$HOST")
    VM_B=vm$((${VM_A#vm} + 1))
    VICTIM=$VM_A
}
same_mac_set() { inside "$VM_B" ip link set eth0 address "$1"; }
same_mac_on() {
    same_mac_set "$(vm_mac "$VM_A")"
    job_start "same-mac-$HOST" "$VM_A" ping -q -n -i 0.3 "$(vm_gw)"
    job_start "same-mac-$HOST" "$VM_B" ping -q -n -i 1 "$(vm_gw)"
}
same_mac_loses() {
    LOST=$(loss_of gw "$(vm_ip "$VM_A")" 20 0.1)
    ((${LOST:-0} > 5))
}
same_mac_broken() {
    until_true 10 same_mac_loses || { WHY="the gateway loses ${LOST:-none} % of its pings to $VM_A" && return 1; }
    WHY="$VM_A and $VM_B have the MAC $(vm_mac "$VM_A"); the gateway loses $LOST % of its pings to $VM_A"
}
same_mac_off() {
    job_stop "same-mac-$HOST"
    same_mac_set "$(vm_mac "$VM_B")"
    announce "$VM_B" eth0 "$(vm_ip "$VM_B")"
    announce "$VM_A" eth0 "$(vm_ip "$VM_A")"
}
same_mac_repaired() {
    until_true 6 reaches gw "$(vm_ip "$VM_A")" && until_true 6 reaches gw "$(vm_ip "$VM_B")" &&
        WHY="the gateway reaches $VM_A and $VM_B" && return
    WHY="the gateway does not reach both VMs"
    return 1
}
