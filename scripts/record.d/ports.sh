# shellcheck shell=bash disable=SC2154 # parts of samples/record, with its names and helpers
# Cases of ports and VMs that come and go, and one MAC twice.

cases_ports() {
    cat <<'EOF'
port-gone/fires||--vswitch vswitch0 --iface vnet0,vnet1 icmp or arp|14
port-gone/fires-down||--vswitch vswitch0 --iface vnet0,vnet1 icmp or arp|14
port-gone/near-miss||--vswitch vswitch0 --iface vnet0,vnet1 icmp or arp|13
port-gone/exonerated||--vswitch vswitch0 --iface vnet0,vnet1 icmp or arp|14
vm-off/fires||--vswitch vswitch0 --iface vnet0,vnet1 --iface-mac 0c:da:41:1d:56:a7 icmp or arp|15
vm-off/near-miss||--vswitch vswitch0 --iface vnet0,vnet1 icmp or arp|14
vm-off/exonerated||--vswitch vswitch0 --iface vnet0,vnet1 icmp or arp|15
same-mac/fires||--vswitch vswitch0 --iface vnet0,vnet1 icmp or arp|14
same-mac/near-miss|--vlan 188|--vswitch vswitch0 --iface vnet0,vnet1 icmp or arp|12
same-mac/exonerated||--vswitch vswitch0 --iface vnet0,vnet1 icmp or arp|13
port-gone/exonerated-added||--vswitch vswitch0 --iface vnet1 icmp or arp|13
vm-off/exonerated-other||--vswitch vswitch0 --iface vnet0,vnet1 icmp or arp|14
EOF
}

# vnet0 is taken out of vswitch0 in mid run (ovs-vsctl del-port), the interface stays. Pings of vm1 to the gateway are
# answered before and lost after.
during_port_gone_fires() {
    in_node vm1 ping -c 5 -i 0.4 -W 1 "$GW"
    lab fault on unplug-vm --check no
    in_node vm1 ping -c 6 -i 0.5 -W 1 "$GW"
    in_node gw ping -c 3 -i 0.4 -W 1 "$VM1"
}

# vnet0 is set down on the host in mid run (ip link set vnet0 down), still a port of the switch. The gateway's pings
# to vm1 are answered before and lost after.
during_port_gone_fires_down() {
    in_node gw ping -c 5 -i 0.4 -W 1 "$VM1"
    lab fault on port-down --check no
    in_node gw ping -c 8 -i 0.5 -W 1 "$VM1"
}

# vnet0 is there and up all the time. In mid run the guest drops ICMP itself (nft input in vm1): requests go out at
# vnet0, no answer comes back in there.
during_port_gone_near_miss() {
    in_node gw ping -c 5 -i 0.4 -W 1 "$VM1"
    silent_to_pings vm1
    in_node gw ping -c 8 -i 0.5 -W 1 "$VM1"
}

# vnet0 is taken out of the switch and put back in mid run while nobody talks with vm1 (vm2 pings the gateway all the
# time). Before and after all pings of vm1 are answered.
during_port_gone_exonerated() {
    in_node vm1 ping -c 4 -i 0.3 -W 1 "$GW"
    in_node host1 ovs-vsctl del-port vswitch0 vnet0
    in_node vm2 ping -c 4 -i 0.4 -W 1 "$GW"
    in_node host1 ovs-vsctl -- add-port vswitch0 vnet0 -- set Interface vnet0 ofport_request=11
    sleep 0.5
    in_node vm1 ping -c 6 -i 0.3 -W 1 "$GW"
}

# vm1 is off from about 4 s to about 10 s (port and interface deleted, as libvirt does; then a new vnet0). The gateway
# pings it all the time.
during_vm_off_fires() {
    { sleep 2; lab fault on vm-off --check no; sleep 2; lab fault off vm-off --check no; } &
    in_node gw ping -c 22 -i 0.5 -W 1 "$VM1"
    wait $!
}

# The same pattern of loss, but the VM is there: its guest drops ICMP for some seconds (nft in vm1) and answers again.
# Port vnet0 stays, requests are delivered at it.
during_vm_off_near_miss() {
    { sleep 2; silent_to_pings vm1; sleep 4; in_node vm1 nft delete table inet g; } &
    in_node gw ping -c 20 -i 0.5 -W 1 "$VM1"
    wait $!
}

# vm1 reboots outside of traffic: pings before and after are answered, none is sent while it is off (the gateway pings
# vm2 then).
during_vm_off_exonerated() {
    in_node gw ping -c 4 -i 0.3 -W 1 "$VM1"
    lab fault on vm-off --check no
    in_node gw ping -c 4 -i 0.3 -W 1 "$VM2"
    lab fault off vm-off --check no
    sleep 0.8
    in_node gw ping -c 6 -i 0.3 -W 1 "$VM1"
}

# vm1 and vm2 have the same MAC 0c:da:41:1d:56:a7 at vnet0 and vnet1; vm2 pings the gateway once a second, vm1 every
# 0.3 s. Answers and requests for one go to the other, whoever spoke last.
before_same_mac_fires() { lab fault on same-mac; }
during_same_mac_fires() { in_node gw ping -c 20 -i 0.4 -W 1 "$VM1"; }

# vm1 and vm2 have the same MAC but in different VLANs (188, 189): two broadcast domains, nothing is lost. (vm2 asks
# for its gateway in 189, where nobody is: its own ARP goes unanswered.)
before_same_mac_near_miss() {
    lab fault on vlan-tag --victim vm2 --tag 189
    in_node vm2 ip link set eth0 address 0c:da:41:1d:56:a7
}
during_same_mac_near_miss() {
    { for _ in 1 2 3 4 5; do in_node vm2 arping -c 1 -w 1 -I eth0 10.0.188.254; done; } &
    in_node gw ping -c 14 -i 0.4 -W 1 "$V1"
    wait $!
}

# The MAC moves once from vnet0 to vnet1, and rightly so: vm1 goes away (its port is removed) and vm2 takes over its
# MAC and address (a live migration onto another tap); all pings but those in the gap are answered.
during_same_mac_exonerated() {
    in_node gw ping -c 6 -i 0.3 -W 1 "$VM1"
    in_node host1 ovs-vsctl del-port vswitch0 vnet0
    in_node vm1 ip link set eth0 down
    in_node vm2 ip link set eth0 address 0c:da:41:1d:56:a7
    in_node vm2 ip addr add "$VM1/24" dev eth0
    in_node vm2 arping -q -A -c 1 -I eth0 "$VM1"
    in_node gw ping -c 8 -i 0.3 -W 1 "$VM1"
}

# vm1 is off at the start and starts in mid run (its port joins); then it pings and all is answered.
before_port_gone_exonerated_added() { lab fault on vm-off; }
during_port_gone_exonerated_added() {
    in_node vm2 ping -c 4 -i 0.3 -W 1 "$GW"
    lab fault off vm-off --check no
    sleep 0.8
    in_node vm1 ping -c 8 -i 0.3 -W 1 "$GW"
}

# vm2 reboots while nobody talks with it; vm1's pings go on all the time and are answered.
during_vm_off_exonerated_other() {
    { sleep 1; lab fault on vm-off --victim vm2 --check no; sleep 1; lab fault off vm-off --victim vm2 --check no; } &
    in_node vm1 ping -c 18 -i 0.4 -W 1 "$GW"
    wait $!
    in_node vm1 ping -c 3 -i 0.3 -W 1 "$VM2"
}
