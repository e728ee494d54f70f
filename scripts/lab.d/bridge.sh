# shellcheck shell=bash disable=SC2034,SC2153 # the parts share variables
# A host whose VMs are on a Linux bridge, without Open vSwitch, and what goes wrong there.

# br0 with one uplink, for the kernel may be built without bonds; br0 takes the uplink's MAC.
linux_bridge() {
    local host=$1 dev
    shift
    ip -n "$(ns "$host")" link add br0 address "$(host_mac "$host" eth2)" type bridge stp_state 0 forward_delay 0 mcast_snooping 0
    ip -n "$(ns "$host")" link set br0 type bridge nf_call_iptables 0 nf_call_ip6tables 0 nf_call_arptables 0 2>/dev/null || true
    for dev in eth2 "$@"; do
        inside "$host" sh -c "echo 1 >/proc/sys/net/ipv6/conf/$dev/disable_ipv6" 2>/dev/null || true
        ip -n "$(ns "$host")" link set "$dev" master br0 up
    done
    plug "$host" br0 "$(host_ip "$host")/24" "$GW_IP"
}

need_bridge() { ((BRIDGE)) || die "this fault needs VMs on a Linux bridge: run \`lab up --bridge\`"; }

# The chains of libvirt's nwfilter driver for one port: I has what the VM sends, O what it gets.
nwfilter_chain() { if [[ $DIRECTION == out ]]; then printf 'libvirt-I-%s' "$TAP"; else printf 'libvirt-O-%s' "$TAP"; fi; }

nwfilter_prepare() {
    need_bridge
    need_vm
}
nwfilter_on() {
    local chain hook=(PREROUTING -i)
    chain=$(nwfilter_chain)
    [[ $DIRECTION == out ]] || hook=(POSTROUTING -o)
    reaches "$VICTIM" "$(vm_gw)" || { WHY="$VICTIM does not reach the gateway even before" && return 1; }
    inside "$HOST" ebtables -t nat -N "$chain" -P ACCEPT
    inside "$HOST" ebtables -t nat -A "$chain" -p IPv4 --ip-proto icmp -j DROP
    inside "$HOST" ebtables -t nat -A "${hook[@]}" "$TAP" -j "$chain"
}
nwfilter_broken() {
    until_true 5 acl_cut || { WHY="$VICTIM still reaches the gateway" && return 1; }
    tcp_opens "$VICTIM" "$(vm_gw)" || { WHY="TCP of $VICTIM does not open either" && return 1; }
    WHY="chain $(nwfilter_chain) of ebtables drops ICMP of $TAP ($DIRECTION); TCP of $VICTIM opens"
}
nwfilter_off() { inside "$HOST" nft delete table bridge nat 2>/dev/null || true; }
nwfilter_repaired() { vm_reaches_gw; }

nft_bridge_prepare() { nwfilter_prepare; }
nft_bridge_on() {
    reaches "$VICTIM" "$(vm_gw)" || { WHY="$VICTIM does not reach the gateway even before" && return 1; }
    inside "$HOST" nft -f - <<END
add table bridge guard
add chain bridge guard forward { type filter hook forward priority 0; policy accept; }
add rule bridge guard forward iifname "$TAP" ip protocol icmp counter drop comment "no ICMP from $VICTIM"
END
}
nft_bridge_broken() {
    until_true 5 acl_cut || { WHY="$VICTIM still reaches the gateway" && return 1; }
    tcp_opens "$VICTIM" "$(vm_gw)" || { WHY="TCP of $VICTIM does not open either" && return 1; }
    WHY="nftables drops ICMP from $TAP where br0 forwards; TCP of $VICTIM opens"
}
nft_bridge_off() { inside "$HOST" nft delete table bridge guard 2>/dev/null || true; }
nft_bridge_repaired() { vm_reaches_gw; }

# The healthy twin: the same chain, but what it drops is for an address nobody uses.
nft_other_prepare() { nwfilter_prepare; }
nft_other_on() {
    inside "$HOST" nft -f - <<END
add table bridge guard
add chain bridge guard forward { type filter hook forward priority 0; policy accept; }
add rule bridge guard forward iifname "$TAP" ip daddr $NOBODY ip protocol icmp counter drop
END
}
nft_other_broken() { vm_reaches_gw && WHY="nftables drops ICMP from $TAP to $NOBODY, and $WHY"; }
nft_other_off() { nft_bridge_off; }
nft_other_repaired() { vm_reaches_gw; }

# A spanning tree with the standard's longest delay: a port that joins listens and learns for 60 s (802.1D, 17.14).
bridge_set() { ip -n "$(ns "$HOST")" link set br0 type bridge "$@"; }
stp_state_of() { inside "$HOST" bridge -d link show dev "$TAP" | sed -n 's/.* state \([a-z]*\).*/\1/p'; }
stp_prepare() { nwfilter_prepare; }
stp_on() {
    bridge_set forward_delay 0
    bridge_set stp_state 1
    until_true 5 reaches "$VICTIM" "$(vm_gw)" || { WHY="$VICTIM does not reach the gateway with a spanning tree and no delay" && return 1; }
    bridge_set forward_delay 3000
    ip -n "$(ns "$HOST")" link set "$TAP" nomaster
    ip -n "$(ns "$HOST")" link set "$TAP" master br0
}
stp_broken() {
    until_true 5 acl_cut || { WHY="$VICTIM still reaches the gateway" && return 1; }
    WHY="$TAP is $(stp_state_of) in br0's spanning tree, for 60 s with learning; $VICTIM reaches nobody"
}
# In this order: a spanning tree that is on takes no delay below 2 s.
stp_none() { bridge_set stp_state 0 && bridge_set forward_delay 0; }
stp_off() {
    stp_none
    ip -n "$(ns "$HOST")" link set "$TAP" nomaster
    ip -n "$(ns "$HOST")" link set "$TAP" master br0
}
stp_repaired() { vm_reaches_gw; }

# The healthy twin: a second uplink of br0, which its spanning tree blocks, for else there would be a loop.
stp_spare_prepare() { nwfilter_prepare; }
stp_spare_on() {
    bridge_set forward_delay 200 hello_time 100
    bridge_set stp_state 1
    ip -n "$(ns "$HOST")" link set eth3 master br0 up
}
stp_blocks() { inside "$HOST" bridge -d link show dev eth3 | grep -q 'state blocking'; }
stp_spare_broken() {
    until_true 8 stp_blocks || { WHY="eth3 is not blocked" && return 1; }
    until_true 8 reaches "$VICTIM" "$(vm_gw)" || { WHY="$VICTIM does not reach the gateway" && return 1; }
    WHY="eth3 is a second uplink of br0 and blocked by its spanning tree; $VICTIM reaches the gateway"
}
stp_spare_off() {
    ip -n "$(ns "$HOST")" link set eth3 nomaster down
    stp_none
}
stp_spare_repaired() { vm_reaches_gw; }
