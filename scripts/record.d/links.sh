# shellcheck shell=bash disable=SC2154 # parts of samples/record, with its names and helpers
# Cases of what a link does not carry: MTU, VLAN.

cases_links() {
    cat <<'EOF'
mtu-mismatch/fires||--vswitch vswitch0 --iface vnet0,vnet1 icmp or arp|11
mtu-mismatch/fires-vnet||--vswitch vswitch0 --iface vnet0,vnet1 icmp or arp|11
mtu-mismatch/fires-bridge|--bridge|--iface eth2,vnet0,vnet1 icmp or arp|12
mtu-mismatch/near-miss||--vswitch vswitch0 --iface vnet0,vnet1 icmp or arp|11
mtu-mismatch/fires-outside||--vswitch vswitch0 --iface vnet0,vnet1 icmp or arp|11
mtu-mismatch/exonerated||--vswitch vswitch0 --iface vnet0,vnet1 icmp or arp|11
mtu-mismatch/exonerated-repaired||--vswitch vswitch0 --iface vnet0,vnet1 icmp or arp|12
vlan-mismatch/fires|--vlan 188|--vswitch vswitch0 --iface vnet0,vnet1 icmp or arp|12
vlan-mismatch/fires-trunk|--vlan 188|--vswitch vswitch0 --iface vnet0,vnet1 icmp or arp|12
vlan-mismatch/fires-vms|--vlan 188|--vswitch vswitch0 --iface vnet0,vnet1 icmp or arp|12
vlan-mismatch/near-miss|--vlan 188|--vswitch vswitch0 --iface vnet0,vnet1 icmp or arp|11
vlan-mismatch/exonerated|--vlan 188|--vswitch vswitch0 --iface vnet0,vnet1 icmp or arp|11
vlan-mismatch/exonerated-repaired|--vlan 188|--vswitch vswitch0 --iface vnet0,vnet1 icmp or arp|13
mtu-mismatch/exonerated-big||--vswitch vswitch0 --iface vnet0,vnet1 icmp or arp|10
EOF
}

# MTU of both uplinks (eth2, eth3) is 1400; vm1 and its vnet0 have 1500. vm1 pings the gateway with 1472 (IP 1500, DF)
# and with 56 octets.
before_mtu_mismatch_fires() { lab fault on mtu; }
during_mtu_mismatch_fires() {
    in_node vm1 ping -c 6 -i 0.5 -W 1 -M "do" -s 1472 "$GW"
    in_node vm1 ping -c 6 -i 0.3 -W 1 "$GW"
}

# MTU of vnet0 (vm1's port) is 1400. The gateway pings vm1 with 1472 octets (DF): requests arrive at eth3 and cannot
# leave at vnet0.
before_mtu_mismatch_fires_vnet() { lab fault on mtu --at vnet; }
during_mtu_mismatch_fires_vnet() {
    in_node gw ping -c 6 -i 0.5 -W 1 -M "do" -s 1472 "$VM1"
    in_node gw ping -c 6 -i 0.3 -W 1 "$VM1"
}

# The same on a host whose switch is the kernel's bridge: it does not forward what is larger than the port's MTU.
before_mtu_mismatch_fires_bridge() { in_node host1 ip link set vnet0 mtu 1400; }
during_mtu_mismatch_fires_bridge() {
    in_node gw ping -c 6 -i 0.4 -W 1 -M "do" -s 1472 "$VM1"
    in_node gw ping -c 6 -i 0.3 -W 1 "$VM1"
}

# The condition is there (uplinks have MTU 1400) but what dies are small pings: a rule drops ICMP of vm1 to the
# gateway. Nothing large is sent.
before_mtu_mismatch_near_miss() {
    lab fault on mtu
    lab fault on acl-drop
}
during_mtu_mismatch_near_miss() {
    in_node vm1 ping -c 8 -i 0.5 -W 1 "$GW"
    in_node vm2 ping -c 4 -i 0.5 -W 1 "$GW"
}

# Only large pings die, but outside: the physical switch's port to the gateway has MTU 1400. All of vm1's requests
# leave at eth3; the host's MTUs are 1500 everywhere.
before_mtu_mismatch_fires_outside() { in_node switch ip link set gw mtu 1400; }
during_mtu_mismatch_fires_outside() {
    in_node vm1 ping -c 6 -i 0.5 -W 1 -M "do" -s 1472 "$GW"
    in_node vm1 ping -c 6 -i 0.3 -W 1 "$GW"
}

# Uplinks have MTU 1400, and vm1 sends pings that just fit (1372 octets, IP 1400): all are answered.
before_mtu_mismatch_exonerated() { lab fault on mtu; }
during_mtu_mismatch_exonerated() {
    in_node vm1 ping -c 8 -i 0.3 -W 1 -M "do" -s 1372 "$GW"
    in_node vm2 ping -c 8 -i 0.3 -W 1 "$GW"
}

# Uplinks have MTU 1400 at the start and are set to 1500 at about 3 s, before anything large is sent; then large pings
# pass.
before_mtu_mismatch_exonerated_repaired() { lab fault on mtu; }
during_mtu_mismatch_exonerated_repaired() {
    in_node vm1 ping -c 3 -i 0.3 -W 1 "$GW"
    lab fault off mtu --check no
    in_node vm1 ping -c 8 -i 0.3 -W 1 -M "do" -s 1472 "$GW"
}

# vnet0 (vm1) has tag 77; its network is VLAN 188 (gateway, vm2). vm1 pings the gateway: requests leave at eth3 tagged
# 77 and nobody answers. The gateway pings vm1: requests arrive at eth3 in VLAN 188 and find no port of vm1 in it.
before_vlan_mismatch_fires() { lab fault on vlan-tag; }
during_vlan_mismatch_fires() {
    in_node vm1 ping -c 6 -i 0.5 -W 1 "$VG"
    in_node gw ping -c 6 -i 0.5 -W 1 "$V1"
    in_node vm2 ping -c 3 -i 0.3 -W 1 "$VG"
}

# Port vswitch0_bond has trunks=[0,100] and leaves VLAN 188 out. What vm1 and vm2 send in VLAN 188 never leaves; what
# arrives at eth3 in 188 is dropped at entry.
before_vlan_mismatch_fires_trunk() { lab fault on trunk; }
during_vlan_mismatch_fires_trunk() {
    in_node vm1 ping -c 6 -i 0.5 -W 1 "$VG"
    in_node gw ping -c 6 -i 0.5 -W 1 "$V1"
    in_node gw ping -c 3 -i 0.3 -W 1 192.168.12.19
}

# two VMs of one switch: vnet0 has tag 188, vnet1 tag 189. vm1 pings vm2, which never gets it.
before_vlan_mismatch_fires_vms() { lab fault on vlan-tag --victim vm2 --tag 189; }
during_vlan_mismatch_fires_vms() {
    in_node vm1 ping -c 8 -i 0.5 -W 1 "$V2"
    in_node vm1 ping -c 4 -i 0.3 -W 1 "$VG"
}

# Tags of the host are right. The physical switch's trunk beyond does not carry VLAN 188: all of vm1's requests leave
# at eth3 tagged 188, nothing comes back.
before_vlan_mismatch_near_miss() { in_node switch ovs-vsctl set Port trunk0 trunks=77; }
during_vlan_mismatch_near_miss() {
    in_node vm1 ping -c 6 -i 0.5 -W 1 "$VG"
    in_node vm1 ping -c 3 -i 0.3 -W 1 "$V2"
    in_node gw ping -c 3 -i 0.3 -W 1 192.168.12.19
}

# The trunk of vswitch0_bond is restricted to 0,100,188, vm1 (188) talks with the gateway; vm2 has another tag (77)
# and is alone in it and silent.
before_vlan_mismatch_exonerated() {
    lab fault on trunk-ok
    lab fault on vlan-tag --victim vm2
}
during_vlan_mismatch_exonerated() {
    in_node vm1 ping -c 8 -i 0.4 -W 1 "$VG"
    in_node gw ping -c 4 -i 0.4 -W 1 "$V1"
}

# vnet0 has tag 77 at the start and its right tag 188 from about 3 s on; vm1 speaks only afterwards, and all is
# answered.
before_vlan_mismatch_exonerated_repaired() { lab fault on vlan-tag; }
during_vlan_mismatch_exonerated_repaired() {
    lab fault off vlan-tag --check no
    sleep 0.5
    in_node vm1 ping -c 8 -i 0.4 -W 1 "$VG"
    in_node gw ping -c 4 -i 0.4 -W 1 "$V1"
}

# Large pings (1472 and 8000 octets, the latter in fragments) of vm1 and of the gateway, MTU 1500 everywhere. All are
# answered. Nothing to say.
during_mtu_mismatch_exonerated_big() {
    in_node vm1 ping -c 6 -i 0.3 -W 1 -M "do" -s 1472 "$GW"
    in_node gw ping -c 6 -i 0.3 -W 1 -s 8000 "$VM1"
}
