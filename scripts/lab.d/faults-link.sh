# shellcheck shell=bash disable=SC2034,SC2153 # the parts share variables
# Faults of links: carrier, MTU, loss.

cable_prepare() { ADDRESS=$(host_ip "$HOST"); }

cable_on() {
    [[ -n $MEMBER ]] || MEMBER=$(active_member "$HOST")
    ip -n "$(ns switch)" link set "$HOST-$MEMBER" down
}

cable_failed_over() {
    [[ $(inside "$HOST" cat "/sys/class/net/$MEMBER/carrier") == 0 ]] &&
        [[ $(active_member "$HOST") =~ ^eth[23]$ && $(active_member "$HOST") != "$MEMBER" ]]
}

cable_broken() {
    until_true 5 cable_failed_over || { WHY="$MEMBER has carrier, or is still the active member" && return 1; }
    until_true 5 reaches "$HOST" "$GW_IP" || { WHY="the other member carries nothing" && return 1; }
    WHY="$MEMBER of $HOST has no carrier; the bond runs on $(active_member "$HOST")"
}

cable_off() {
    local member
    for member in eth2 eth3; do ip -n "$(ns switch)" link set "$HOST-$member" up; done
}
cable_back() { [[ $(active_member "$HOST") == eth3 ]] && reaches "$HOST" "$GW_IP"; }

cable_repaired() {
    until_true 6 cable_back && announce "$HOST" vswitch0 "$ADDRESS" && host_reachable && return
    WHY="eth3 is not active again, or carries nothing"
    return 1
}

mtu_prepare() { need_vm; }

mtu_set() {
    local dev devs=(eth2 eth3)
    [[ $AT == uplink ]] || devs=("$TAP")
    for dev in "${devs[@]}"; do ip -n "$(ns "$HOST")" link set "$dev" mtu "$1"; done
}

mtu_on() {
    until_true 5 reaches "$VICTIM" "$(vm_gw)" -M "do" -s 1472 || { WHY="big packets do not pass even before" && return 1; }
    mtu_set 1400
}

big_vanish() { ! reaches "$VICTIM" "$(vm_gw)" -M "do" -s 1472; }

mtu_broken() {
    until_true 5 big_vanish || { WHY="packets of 1500 octets from $VICTIM still reach the gateway" && return 1; }
    until_true 5 reaches "$VICTIM" "$(vm_gw)" || { WHY="small packets do not pass either" && return 1; }
    WHY="$([[ $AT == uplink ]] && echo "eth2 and eth3" || echo "$TAP") of $HOST carry 1400 octets, packets of 1500 vanish, small ones pass"
}

mtu_off() { mtu_set 1500; }

mtu_repaired() {
    until_true 5 reaches "$VICTIM" "$(vm_gw)" -M "do" -s 1472 && WHY="packets of 1500 octets pass" && return
    WHY="packets of 1500 octets do not pass"
    return 1
}

loss_prepare() { ADDRESS=$(host_ip "$HOST"); }

loss_on() {
    local member
    {
        say "add table netdev loss_$HOST"
        for member in eth2 eth3; do
            say "add chain netdev loss_$HOST $member { type filter hook ingress device $HOST-$member priority 0; }"
            say "add rule netdev loss_$HOST $member numgen random mod 100 < $PERCENT drop"
        done
    } | inside switch nft -f -
}

loss_shows() {
    LOST=$(loss_of gw "$ADDRESS" 200 0.01)
    ((${LOST:-100} > PERCENT / 3 && ${LOST:-100} <= PERCENT * 2 && ${LOST:-100} < 100))
}

loss_broken() {
    until_true 5 loss_shows && WHY="the gateway loses $LOST % of its pings to $ADDRESS" && return
    WHY="the gateway loses ${LOST:-all} % of its pings to $ADDRESS, not about $PERCENT"
    return 1
}

loss_off() { inside switch nft delete table netdev "loss_$HOST" 2>/dev/null || true; }

loss_gone() {
    LOST=$(loss_of gw "$ADDRESS" 50 0.01)
    [[ $LOST == 0 ]]
}

loss_repaired() {
    until_true 5 loss_gone && WHY="the gateway loses none of its pings" && return
    WHY="the gateway loses ${LOST:-all} % of its pings"
    return 1
}
