# shellcheck shell=bash disable=SC2034,SC2153 # the parts share variables
# Faults of addresses: who answers for an IP, and where the switch thinks a MAC is.

ip_conflict_prepare() {
    OWNER=${VICTIM:-$HOST}
    VIP=$(node_ip "$OWNER")
    PC_LEG=eth0 OWNER_IF=vswitch0
    [[ $OWNER != vm* ]] || { PC_LEG=$(leg) && OWNER_IF=eth0; }
    GW_LEG=$PC_LEG
}

ip_conflict_on() {
    until_true 5 reaches gw "$VIP" || { WHY="the gateway does not reach $VIP even before" && return 1; }
    ip -n "$(ns pc)" addr add "$VIP/32" dev "$PC_LEG"
    # It says that it has the address, and it talks with it, as a PC does that was
    # given the address by hand.
    # shellcheck disable=SC2016
    job_start "ip-conflict-$HOST" pc bash -c '
        while :; do
            arping -q -A -c 1 -w 1 -I "$1" "$2"
            ping -q -n -c 1 -W 1 -I "$2" "$3"
            sleep 2
        done' _ "$PC_LEG" "$VIP" "$( [[ $OWNER == vm* ]] && vm_gw || printf %s "$GW_IP")"
}

ip_conflict_cached() {
    [[ $(inside gw ip neigh show "$VIP" dev "$GW_LEG") == *"$1"* ]]
}

ip_conflict_reaches_pc() {
    ip_conflict_cached "$PC_MAC_LEG" && [[ $(greeting_of gw "$VIP") == *lab_pc ]]
}

ip_conflict_broken() {
    PC_MAC_LEG=$(inside pc cat "/sys/class/net/$PC_LEG/address")
    until_true 10 ip_conflict_reaches_pc || {
        WHY="the gateway's cache has '$(inside gw ip neigh show "$VIP" dev "$GW_LEG")', and $VIP answers as '$(greeting_of gw "$VIP")', not as the PC"
        return 1
    }
    WHY="$VIP of $OWNER ($(owner_mac)) is at the PC ($PC_MAC_LEG) for the gateway; who connects to it meets the PC"
}

owner_mac() { if [[ $OWNER == vm* ]]; then vm_mac "$OWNER"; else host_mac "$OWNER" eth2; fi; }

ip_conflict_off() {
    job_stop "ip-conflict-$HOST"
    ip -n "$(ns pc)" addr del "$VIP/32" dev "$PC_LEG" 2>/dev/null || true
    announce "$OWNER" "$OWNER_IF" "$VIP"
}

ip_conflict_own() { [[ $(greeting_of gw "$VIP") == *"lab_$OWNER" ]] && ip_conflict_cached "$(owner_mac)"; }

ip_conflict_repaired() {
    until_true 10 ip_conflict_own && WHY="$VIP is at $OWNER again" && return
    WHY="$VIP answers as '$(greeting_of gw "$VIP")', not as $OWNER"
    return 1
}

# lldpd overwrites its environment, hence found by name, in its own namespace.
lldpd_pids() {
    local pid
    for pid in $(ip netns pids "$(ns "$HOST")"); do
        [[ $(cat "/proc/$pid/comm" 2>/dev/null) != lldpd ]] || printf '%s\n' "$pid"
    done
}

lldpd_gone() { [[ -z $(lldpd_pids) ]]; }

lldpd_start() {
    local dir=$STATE/$HOST/lldpd
    printf 'configure lldp tx-interval %d\n' "$INTERVAL" >"$dir/conf"
    job_start "lldp-$HOST" "$HOST" lldpd -d -I "$1" -C "$1" -u /run/lldpd/socket -O /run/lldpd/conf
}

lldpd_stop() {
    local pids
    pids=$(lldpd_pids)
    # shellcheck disable=SC2086
    [[ -z $pids ]] || kill -TERM $pids 2>/dev/null || true
    # shellcheck disable=SC2046
    PATIENCE=1 until_true 3 lldpd_gone || kill -KILL $(lldpd_pids) 2>/dev/null || true
    rm -f "$STATE/$HOST/lldpd/socket"
    announce "$HOST" vswitch0 "$(host_ip "$HOST")"
}

# By the configured primary, for the bond goes back to it from any other choice.
set_active() { inside "$HOST" ovs-vsctl --timeout=60 set Port vswitch0_bond other_config:bond-primary="$1"; }
is_active() { [[ $(active_member "$HOST") == "$1" ]]; }

lldp_moved() { [[ $(switch_leg_of "$(host_mac "$HOST" eth2)") == "$HOST-$1" ]]; }

lldp_backup_prepare() { ADDRESS=$(host_ip "$HOST"); }

lldp_backup_on() {
    # eth2 has the bridge's MAC, so eth2 must be the backup.
    [[ $(active_member "$HOST") == eth3 ]] || { WHY="eth3 is not the active member" && return 1; }
    until_true 5 reaches gw "$ADDRESS" || { WHY="the gateway does not reach $ADDRESS even before" && return 1; }
    lldpd_start eth2
}

lldp_backup_loses() {
    lldp_moved eth2 || return 1
    LOST=$(loss_of gw "$ADDRESS" 12 0.1)
    ((${LOST:-0} > 50))
}

lldp_backup_broken() {
    LOST=0
    until_true $((3 * INTERVAL + 6)) lldp_backup_loses || {
        WHY="the switch has the MAC at '$(switch_leg_of "$(host_mac "$HOST" eth2)")', and the gateway loses $LOST % of its pings to $ADDRESS"
        return 1
    }
    until_true 5 reaches "$HOST" "$GW_IP" ||
        { WHY="$HOST does not reach the gateway either, so it is not this fault" && return 1; }
    WHY="the switch has $(host_mac "$HOST" eth2) at $HOST-eth2 while eth3 is active; the gateway loses $LOST % of its pings to $ADDRESS"
}

# The host speaks by the active member, and the gateway finds it there.
lldp_home() { reaches "$HOST" "$GW_IP" && lldp_moved eth3; }

# The host says something, the next LLDP frame moves its MAC, and only then the
# gateway pings. A host may speak by itself meanwhile (it asks now and then whether
# its neighbours are still there), and then an answer comes: once more from the start.
lldp_backup_dies() {
    until_true 5 lldp_home || return 1
    until_true $((INTERVAL + 5)) lldp_moved eth2 || return 1
    LOST=$(loss_of gw "$ADDRESS" 3 0.2)
    [[ $LOST == 100 ]] && lldp_moved eth2
}

lldp_backup_once() {
    LOST=0
    until_true $((3 * INTERVAL + 6)) lldp_backup_dies && WHY="the MAC moved to $HOST-eth2, and three pings of the gateway with it" && return
    WHY="the switch has the MAC at '$(switch_leg_of "$(host_mac "$HOST" eth2)")', and the gateway loses ${LOST:-no} % of three pings"
    return 1
}

lldp_backup_off() { lldpd_stop; }
lldp_backup_repaired() { host_reachable; }

lldp_active_prepare() { lldp_backup_prepare; }
lldp_active_on() {
    set_active eth2
    until_true 5 is_active eth2 || { WHY="eth2 does not become the active member" && return 1; }
    announce "$HOST" vswitch0 "$ADDRESS"
    lldpd_start eth2
}

lldp_sent() {
    [[ $(inside "$HOST" lldpcli -u /run/lldpd/socket -f keyvalue show statistics ports eth2 2>/dev/null) =~ \.tx\.tx=[1-9] ]]
}

lldp_active_loses_nothing() {
    LOST=$(loss_of gw "$ADDRESS" 12 0.1)
    lldp_moved eth2 && [[ ${LOST:-100} == 0 ]]
}

# For a twin, "broken" means that it does what it must and that nothing breaks.
lldp_active_broken() {
    until_true $((INTERVAL + 5)) lldp_sent && until_true 5 lldp_active_loses_nothing && lldp_sent &&
        WHY="LLDP every $INTERVAL s on eth2, the active member; the gateway loses nothing" && return
    WHY="the gateway loses ${LOST:-all} % of its pings, or lldpd sends nothing"
    return 1
}

lldp_active_off() {
    set_active eth3
    until_true 5 is_active eth3 || warn "eth3 does not become the active member again"
    lldpd_stop
}
lldp_active_repaired() { host_reachable; }
