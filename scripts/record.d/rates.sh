# shellcheck shell=bash disable=SC2154 # parts of samples/record, with its names and helpers
# Cases of queues and meters, here and at the far side.

cases_rates() {
    cat <<'EOF'
qdisc/fires||--vswitch vswitch0 --iface vnet0,vnet1 icmp or arp|12
qdisc/near-miss||--vswitch vswitch0 --iface vnet0,vnet1 icmp or arp|12
qdisc/exonerated||--vswitch vswitch0 --iface vnet0,vnet1 icmp or arp|11
policing/fires||--vswitch vswitch0 --iface vnet0,vnet1 icmp or arp|12
policing/near-miss||--vswitch vswitch0 --iface vnet0,vnet1 icmp or arp|12
policing/exonerated||--vswitch vswitch0 --iface vnet0,vnet1 icmp or arp|11
ping-loss/near-miss-far-firewall||--vswitch vswitch0 --iface vnet0,vnet1 icmp or arp or tcp|12
EOF
}

# tc tbf 400 kbit/s, burst 4 kB, limit 4 kB on eth2 and eth3. Bursts of vm1 (1042-octet pings every 2 ms) lose most
# packets before the wire; the qdisc's 'dropped' counter grows. Packets enter at vnet0, never seen at eth3 (a tap sees
# a frame after its queue).
before_qdisc_fires() { lab fault on shape; }
during_qdisc_fires() {
    for _ in 1 2 3; do in_node vm1 ping -c 40 -i 0.002 -s 1000 -W 1 "$GW"; done
    in_node vm1 ping -c 4 -i 0.4 -W 1 "$GW"
}

# The queue is there but wide (200 Mbit/s); three frames in ten are lost behind the host (nft at the physical switch).
before_qdisc_near_miss() {
    lab fault on shape-wide
    lab fault on loss
}
during_qdisc_near_miss() { for _ in 1 2; do in_node vm1 ping -c 40 -i 0.02 -s 1000 -W 1 "$GW"; done; }

# The queue is there, wide enough, nothing is lost in bursts (QoS below its limit).
before_qdisc_exonerated() { lab fault on shape-wide; }
during_qdisc_exonerated() { for _ in 1 2 3; do in_node vm1 ping -c 40 -i 0.01 -s 1000 -W 1 "$GW"; done; }

# rule priority=60,in_port=11 actions=meter:1,NORMAL; meter 1 lets 10 packets a second (burst 10) pass, vm1 sends 40
# pings at 50 a second: the rest is dropped by the meter.
before_policing_fires() {
    lab fault on meter
    sleep 1
}
during_policing_fires() {
    for _ in 1 2; do in_node vm1 ping -c 40 -i 0.02 -W 1 "$GW"; done
    in_node vm1 ping -c 3 -i 0.5 -W 1 "$GW"
}

# The meter is there and wide. The far host (gateway) limits ICMP answers to 5 a second (nft in gw): every request
# leaves at eth3, few are answered.
before_policing_near_miss() {
    lab fault on meter-wide
    in_node gw nft "add table inet g; add chain inet g i { type filter hook input priority 0; }; \
        add rule inet g i icmp type echo-request limit rate 5/second burst 2 packets counter accept; \
        add rule inet g i icmp type echo-request counter drop"
}
during_policing_near_miss() { for _ in 1 2; do in_node vm1 ping -c 40 -i 0.02 -W 1 "$GW"; done; }

# The meter is there, wide enough; nothing is lost.
before_policing_exonerated() { lab fault on meter-wide; }
during_policing_exonerated() { for _ in 1 2 3; do in_node vm1 ping -c 40 -i 0.01 -W 1 "$GW"; done; }

# A firewall at the gateway drops ICMP and TCP 8081 and refuses 8082 with RST. Right: not answered / refused by the
# far side; all left at eth3.
before_ping_loss_near_miss_far_firewall() {
    in_node gw nft "add table inet g; add chain inet g i { type filter hook input priority 0; }; \
        add rule inet g i icmp type echo-request counter drop; \
        add rule inet g i tcp dport 8081 counter drop"
}
during_ping_loss_near_miss_far_firewall() {
    in_node vm1 ping -c 6 -i 0.4 -W 1 "$GW"
    greets vm1 "$GW/8081" 2
    greets vm1 "$GW/8082" 2
    greets vm1 "$GW/22" 1
}
