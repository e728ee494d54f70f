# shellcheck shell=bash disable=SC2154 # parts of samples/record, with its names and helpers
# Cases of ARP requests that nobody answers.

cases_arp() {
    cat <<'EOF'
arp-unanswered/fires||--vswitch vswitch0 --iface vnet0,vnet1 icmp or arp|14
arp-unanswered/near-miss||--vswitch vswitch0 --iface vnet0,vnet1 icmp or arp|16
arp-unanswered/exonerated||--vswitch vswitch0 --iface vnet0,vnet1 icmp or arp|13
EOF
}

# The gateway is off. vm1 has nothing of it in its cache: only ARP requests leave it, and nothing comes back.
before_arp_unanswered_fires() {
    in_node vm1 ip neigh flush dev eth0
    in_node gw ip link set eth0 down
}
during_arp_unanswered_fires() { in_node vm1 ping -c 7 -W 1 "$GW"; }

# A probe for a free address (RFC 5227) and a sweep over addresses nobody has: nobody answers, and nobody has to.
during_arp_unanswered_near_miss() {
    in_node vm1 arping -D -c 4 -I eth0 192.168.12.240
    for host in 221 222 223 224 225 226 227 228 229 230; do in_node vm1 arping -c 4 -w 4 -I eth0 "192.168.12.$host" & done
    in_node vm1 ping -c 4 -W 1 "$GW"
    sleep 2
}

# The gateway is off for two seconds: two requests go unanswered, then all is well.
before_arp_unanswered_exonerated() { in_node vm1 ip neigh flush dev eth0; }
during_arp_unanswered_exonerated() {
    in_node gw ip link set eth0 down
    { sleep 1.6; in_node gw ip link set eth0 up; } &
    in_node vm1 ping -c 7 -W 1 "$GW"
    wait $!
}
