# shellcheck shell=bash
# Two hosts recorded at once, and pings from a machine of the first to one of the second, whose own port is recorded only
# where that is what the case is about. Options: of host1; of host2.
cases_together() {
    cat <<'EOC'
together/lost-between|--vms 1|--vswitch vswitch0 --iface vnet0 icmp or arp;--vswitch vswitch0 icmp or arp|24
together/replies-lost|--vms 1|--vswitch vswitch0 --iface vnet0 icmp or arp;--vswitch vswitch0 icmp or arp|24
together/lost-at-rule|--vms 1|--vswitch vswitch0 --iface vnet0 icmp or arp;--vswitch vswitch0 --iface vnet0 icmp or arp|24
together/nothing-lost|--vms 1|--vswitch vswitch0 --iface vnet0 icmp or arp;--vswitch vswitch0 icmp or arp|24
EOC
}

# The gateway asks all for addresses that nobody has, at odd times, as in any network: both hosts hear it.
murmur() {
    for n in 61 73 67 71 62 79 64 70 66 78; do in_node gw arping -q -c 1 -w 1 -I eth0 "192.168.12.$n"; sleep "0.$n"; done
}

thirty_pings() {
    murmur &
    in_node vm1 ping -q -i 0.2 -c 30 -W 1 "$VM2"
    wait $!
}

# Both machines know each other, and the switches know where they are.
acquainted() { in_node vm1 ping -c 2 "$VM2"; }

# The physical switch drops what comes in from a host: drops_from HOST RULE
drops_from() {
    local port
    for port in eth2 eth3; do
        in_node switch nft "add table netdev wire; add chain netdev wire $port { type filter hook ingress device $1-$port priority 0; }; add rule netdev wire $port $2 drop"
    done
}

before_together_lost_between() {
    acquainted
    drops_from host1 "ip daddr $VM2 icmp type echo-request"
}
during_together_lost_between() { thirty_pings; }

before_together_replies_lost() {
    acquainted
    drops_from host2 "ip saddr $VM2 icmp type echo-reply"
}
during_together_replies_lost() { thirty_pings; }

# A rule of the second host's switch drops them before its machine's port.
before_together_lost_at_rule() {
    acquainted
    in_node host2 ovs-ofctl add-flow vswitch0 "priority=900,icmp,nw_dst=$VM2,icmp_type=8,actions=drop"
}
during_together_lost_at_rule() { thirty_pings; }

before_together_nothing_lost() { acquainted; }
during_together_nothing_lost() { thirty_pings; }
