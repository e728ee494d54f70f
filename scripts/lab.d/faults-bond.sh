# shellcheck shell=bash disable=SC2034,SC2153 # the parts share variables
# Faults of the bond: no member that carries.

bond_enabled() {
    inside "$HOST" ovs-appctl bond/show vswitch0_bond | grep -cE '^(member|slave) .*enabled'
}
bond_dead() { [[ $(bond_enabled) == 0 ]] && ! reaches gw "$ADDRESS"; }

# A member that LACP has disabled is looked at again only when its link comes back.
members_again() {
    no_member_on
    sleep 0.3
    cable_off
}

lacp_prepare() { ADDRESS=$(host_ip "$HOST"); }

lacp_on() {
    reaches gw "$ADDRESS" || { WHY="the gateway does not reach $ADDRESS even before" && return 1; }
    inside "$HOST" ovs-vsctl --timeout=60 set Port vswitch0_bond lacp=active bond_mode=balance-tcp \
        other_config:lacp-time=fast
}

lacp_broken() {
    until_true 12 bond_dead || { WHY="$(bond_enabled) members are enabled" && return 1; }
    WHY="the bond of $HOST speaks LACP and the switch does not: no member is enabled, $HOST and its VMs reach nobody"
}

lacp_off() {
    inside "$HOST" ovs-vsctl --timeout=60 -- clear Port vswitch0_bond lacp -- set Port vswitch0_bond bond_mode=active-backup \
        -- remove Port vswitch0_bond other_config lacp-time -- remove Port vswitch0_bond other_config lacp-fallback-ab
    members_again
}
lacp_repaired() { cable_repaired; }

# The healthy twin: the same bond, but it goes on as active-backup where nobody answers its LACP.
lacp_fallback_prepare() { lacp_prepare; }
lacp_fallback_on() {
    inside "$HOST" ovs-vsctl --timeout=60 set Port vswitch0_bond lacp=active bond_mode=balance-tcp \
        other_config:lacp-time=fast other_config:lacp-fallback-ab=true
    members_again
}
lacp_fallback_broken() {
    until_true 12 reaches gw "$ADDRESS" || { WHY="the gateway does not reach $ADDRESS" && return 1; }
    WHY="nobody answers the LACP of $HOST, its bond has fallen back to active-backup; the gateway reaches $ADDRESS"
}
lacp_fallback_off() { lacp_off; }
lacp_fallback_repaired() { cable_repaired; }

no_member_prepare() { ADDRESS=$(host_ip "$HOST"); }

no_member_on() {
    local member
    for member in eth2 eth3; do ip -n "$(ns switch)" link set "$HOST-$member" down; done
}

no_member_broken() {
    until_true 5 bond_dead || { WHY="$(bond_enabled) members are enabled" && return 1; }
    WHY="no member of the bond of $HOST has carrier; $HOST and its VMs reach nobody outside"
}

no_member_off() { cable_off; }
no_member_repaired() { cable_repaired; }
