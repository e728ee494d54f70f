# shellcheck shell=bash disable=SC2154 # parts of samples/record, with its names and helpers
# Cases of copies inside and reflections outside.

cases_copies() {
    cat <<'EOF'
acl-drop/fires-mirror||--vswitch vswitch0 --iface vnet0,vnet1 --iface mir0 icmp or arp|12
acl-drop/fires-mirror-unrecorded||--iface vswitch0,eth2,eth3,vnet0,vnet1 icmp or arp|12
acl-drop/exonerated-mirror||--vswitch vswitch0 --iface vnet0,vnet1 --iface mir0 icmp or arp|11
reflection/fires||--vswitch vswitch0 --iface vnet0,vnet1 icmp or arp|14
reflection/near-miss||--vswitch vswitch0 --iface vnet0,vnet1 icmp or arp|12
reflection/exonerated||--vswitch vswitch0 --iface vnet0,vnet1 icmp or arp|12
EOF
}

# rule drops ICMP of vm1 to the gateway; a mirror (select_all) copies everything to mir0, which is recorded.
before_acl_drop_fires_mirror() {
    lab fault on mirror
    lab fault on acl-drop
}
during_acl_drop_fires_mirror() {
    in_node vm1 ping -c 8 -i 0.4 -W 1 "$GW"
    in_node vm2 ping -c 4 -i 0.4 -W 1 "$GW"
}

# The same drop and mirror, but mir0 is not recorded.
before_acl_drop_fires_mirror_unrecorded() {
    lab fault on mirror
    lab fault on acl-drop
}
during_acl_drop_fires_mirror_unrecorded() {
    in_node vm1 ping -c 8 -i 0.4 -W 1 "$GW"
    in_node vm2 ping -c 4 -i 0.4 -W 1 "$GW"
}

# A mirror of everything to mir0 (recorded), no fault; every ping is answered.
before_acl_drop_exonerated_mirror() { lab fault on mirror; }
during_acl_drop_exonerated_mirror() {
    in_node vm1 ping -c 8 -i 0.4 -W 1 "$GW"
    in_node gw ping -c 6 -i 0.4 -W 1 "$VM1"
    in_node vm1 ping -c 4 -i 0.3 -W 1 "$VM2"
}

# the physical switch's port sends broadcasts of the host back (hairpin). vm1 asks each second for an address nobody
# has; the question comes back in at eth3, vswitch0 learns vm1's MAC at the bond, and what arrives for vm1 is dropped
# until vm1 speaks otherwise (its own ping to the gateway, every 1.9 s; the answer to it may come in).
before_reflection_fires() { lab fault on reflect; }
during_reflection_fires() {
    { in_node vm1 ping -c 5 -i 1.9 -W 1 "$GW"; } &
    in_node gw ping -c 24 -i 0.4 -W 1 "$VM1"
    wait $!
}

# vm1 asks each second for an address nobody has, but nothing reflects; the gateway's pings to vm1 die by a rule (acl-
# in).
before_reflection_near_miss() { lab fault on acl-in; }
during_reflection_near_miss() {
    { in_node vm1 arping -b -c 6 -I eth0 -w 7 192.168.12.77; } &
    in_node gw ping -c 14 -i 0.4 -W 1 "$VM1"
    wait $!
}

# The reflecting port is there, but vm1 only announces itself (gratuitous ARP, which Open vSwitch does not learn from
# a bond for 5 s) and nothing is lost.
before_reflection_exonerated() { in_node switch bridge link set dev host1-eth3 hairpin on; }
during_reflection_exonerated() {
    { sleep 1; in_node vm1 arping -q -U -c 1 -I eth0 "$VM1"; } &
    in_node gw ping -c 14 -i 0.4 -W 1 "$VM1"
    wait $!
}
