# shellcheck shell=bash disable=SC2154 # parts of samples/record, with its names and helpers
# Cases of bonds without a member, and members the switch does not agree on.

cases_bonds() {
    cat <<'EOF'
lacp-failure/fires||--vswitch vswitch0 --iface vnet0,vnet1 icmp or arp or ether proto 0x8809|13
lacp-failure/near-miss||--vswitch vswitch0 --iface vnet0,vnet1 icmp or arp or ether proto 0x8809|13
lacp-failure/exonerated||--vswitch vswitch0 --iface vnet0,vnet1 icmp or arp or ether proto 0x8809|12
bond-down/fires||--vswitch vswitch0 --iface vnet0,vnet1 icmp or arp|14
bond-mismatch/fires||--vswitch vswitch0 --iface vnet0,vnet1 icmp or arp|13
bond-mismatch/near-miss||--vswitch vswitch0 --iface vnet0,vnet1 icmp or arp|13
bond-mismatch/exonerated||--vswitch vswitch0 --iface vnet0,vnet1 icmp or arp|14
bond-mismatch/fires-arp||--vswitch vswitch0 --iface vnet0,vnet1 icmp or arp|13
bond-mismatch/fires-tcp||--vswitch vswitch0 --iface vnet0,vnet1 tcp or arp|13
bond-mismatch/near-miss-tcp||--vswitch vswitch0 --iface vnet0,vnet1 tcp or arp|13
bond-mismatch/exonerated-tcp||--vswitch vswitch0 --iface vnet0,vnet1 tcp or arp|13
bond-down/near-miss||--vswitch vswitch0 --iface vnet0,vnet1 icmp or arp|14
bond-down/exonerated||--vswitch vswitch0 --iface vnet0,vnet1 icmp or arp|11
bond-down/exonerated-failover||--vswitch vswitch0 --iface vnet0,vnet1 icmp or arp|14
EOF
}

# the bond of vswitch0 is balance-tcp with LACP active, the physical switch speaks no LACP. Both members are
# 'disabled', 'expired' or 'defaulted'; lacp_status may still read 'negotiated'. Nothing of the host or its VMs
# leaves, nothing that arrives is let in.
before_lacp_failure_fires() { lab fault on lacp; }
during_lacp_failure_fires() {
    in_node vm1 ping -c 6 -i 0.5 -W 1 "$GW"
    in_node gw ping -c 4 -i 0.5 -W 1 192.168.12.19
    in_node vm1 ping -c 3 -i 0.3 -W 1 "$VM2"
}

# No enabled member, but not by LACP: active-backup without LACP; both cables are pulled at about 4 s (no carrier).
during_lacp_failure_near_miss() {
    in_node vm1 ping -c 4 -i 0.4 -W 1 "$GW"
    lab fault on no-member --check no
    in_node vm1 ping -c 6 -i 0.5 -W 1 "$GW"
}

# LACP is active and nobody answers it, but lacp-fallback-ab=true: the bond runs as active-backup, all pings are
# answered.
before_lacp_failure_exonerated() { lab fault on lacp-fallback; }
during_lacp_failure_exonerated() {
    in_node vm1 ping -c 8 -i 0.4 -W 1 "$GW"
    in_node gw ping -c 4 -i 0.4 -W 1 192.168.12.19
}

# both cables are pulled in mid run (after 4 answered pings): no member of the bond is enabled. vm1 and host lose
# everything outside; vm1 to vm2 goes on.
during_bond_down_fires() {
    in_node vm1 ping -c 4 -i 0.4 -W 1 "$GW"
    lab fault on no-member --check no
    in_node vm1 ping -c 5 -i 0.5 -W 1 "$GW"
    in_node vm1 ping -c 4 -i 0.3 -W 1 "$VM2"
}

# the switch believes in a static LAG and sends frames for vm1 and the host to host1-eth2, the backup member of an
# active-backup bond; Open vSwitch drops what arrives on a backup. (Static FDB entries at the switch.)
before_bond_mismatch_fires() {
    for m in 0c:da:41:1d:56:a7 fc:15:b4:1c:ad:79; do in_node switch bridge fdb replace $m dev host1-eth2 master static sticky; done
}
during_bond_mismatch_fires() {
    in_node gw ping -c 8 -i 0.4 -W 1 "$VM1"
    in_node gw ping -c 4 -i 0.4 -W 1 192.168.12.19
    in_node gw ping -c 4 -i 0.4 -W 1 "$VM2"
}

# The same for vm1, which has nothing of the gateway in its cache: its ARP requests leave, and the replies arrive at eth2.
before_bond_mismatch_fires_arp() {
    in_node switch bridge fdb replace 0c:da:41:1d:56:a7 dev host1-eth2 master static sticky
    in_node vm1 ip neigh flush dev eth0
}
during_bond_mismatch_fires_arp() { in_node vm1 ping -c 7 -W 1 "$GW"; }

# The same with a fixed entry in vm1's cache: the answers to its connection attempts arrive at eth2.
before_bond_mismatch_fires_tcp() {
    in_node vm1 ip neigh replace "$GW" lladdr "$(scripts/lab exec gw cat /sys/class/net/eth0/address)" dev eth0 nud permanent
    in_node switch bridge fdb replace 0c:da:41:1d:56:a7 dev host1-eth2 master static sticky
}
during_bond_mismatch_fires_tcp() {
    greets vm1 "$GW/53" 4
    greets vm2 "$GW/53" 2
}

# Answers go to both members, and vm1's own firewall takes them away.
before_bond_mismatch_near_miss_tcp() {
    in_node vm1 nft "add table inet g; add chain inet g i { type filter hook input priority 0; }; add rule inet g i tcp sport 53 counter drop"
    for member in host1-eth2 host1-eth3; do in_node switch bridge link set dev "$member" learning off; done
    in_node switch bridge fdb flush dev host1-eth3
}
during_bond_mismatch_near_miss_tcp() { greets vm1 "$GW/53" 4; }

# The bond changes to eth2 and back while connections are made: the switch learns where the host is from what it sends.
during_bond_mismatch_exonerated_tcp() {
    { sleep 2; in_node host1 ovs-vsctl set Port vswitch0_bond other_config:bond-primary=eth2; sleep 3; in_node host1 ovs-vsctl set Port vswitch0_bond other_config:bond-primary=eth3; } &
    for _ in 1 2 3 4 5 6 7; do greets vm1 "$GW/53" 1; done
    wait $!
}

# The switch has no entry for vm1 and sends frames for it to both members: the backup drops its copy, rightly. vm1 gets
# the other one and does not answer (its own firewall).
before_bond_mismatch_near_miss() {
    silent_to_pings vm1
    for member in host1-eth2 host1-eth3; do in_node switch bridge link set dev "$member" learning off; done
    in_node switch bridge fdb flush dev host1-eth3
}
during_bond_mismatch_near_miss() { in_node gw ping -c 8 -i 0.4 -W 1 "$VM1"; }

# The bond changes to eth2 and back by configuration, both links up, while the gateway pings vm1: the switch learns where
# the host is from what it sends.
during_bond_mismatch_exonerated() {
    { sleep 2; in_node host1 ovs-vsctl set Port vswitch0_bond other_config:bond-primary=eth2; sleep 3; in_node host1 ovs-vsctl set Port vswitch0_bond other_config:bond-primary=eth3; } &
    in_node gw ping -c 18 -i 0.5 -W 1 "$VM1"
    wait $!
}

# A failover of the bond: the cable of the active member eth3 is pulled in mid run, eth2 takes over within a moment.
# Pings of both sides go on (see below whether any was lost).
during_bond_down_near_miss() {
    { sleep 2; lab fault on cable --check no; } &
    in_node vm1 ping -c 16 -i 0.5 -W 1 "$GW"
    wait $!
}

# One member (eth2, the backup) has no carrier from the start to the end; all traffic goes by eth3 and is answered.
before_bond_down_exonerated() { lab fault on cable --member eth2; }
during_bond_down_exonerated() {
    in_node vm1 ping -c 8 -i 0.4 -W 1 "$GW"
    in_node gw ping -c 4 -i 0.4 -W 1 192.168.12.19
}

# Two failovers of the bond by configuration (primary eth3 -> eth2 -> eth3), both links up. Failovers on the timeline
# (info) only.
during_bond_down_exonerated_failover() {
    { sleep 2; in_node host1 ovs-vsctl set Port vswitch0_bond other_config:bond-primary=eth2; sleep 3; in_node host1 ovs-vsctl set Port vswitch0_bond other_config:bond-primary=eth3; } &
    in_node vm1 ping -c 18 -i 0.5 -W 1 "$GW"
    wait $!
}
