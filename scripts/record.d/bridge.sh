# shellcheck shell=bash disable=SC2154 # parts of samples/record, with its names and helpers
# Cases of a host with a Linux bridge. Those of its VLANs (linux-bridge/*-vlan) are in samples/record-kernel.

cases_bridge() {
    cat <<'EOF'
linux-bridge/fires|--bridge|--iface eth2,vnet0,vnet1 icmp or arp|12
linux-bridge/fires-ebtables-in|--bridge|--iface eth2,vnet0,vnet1 icmp or arp|12
linux-bridge/fires-nft|--bridge|--iface eth2,vnet0,vnet1 icmp or arp|12
linux-bridge/fires-stp|--bridge|--iface eth2,vnet0,vnet1 icmp or arp|12
linux-bridge/near-miss|--bridge|--iface eth2,vnet0,vnet1 icmp or arp|11
linux-bridge/exonerated|--bridge|--iface eth2,vnet0,vnet1 icmp or arp|11
linux-bridge/exonerated-stp|--bridge|--iface eth2,vnet0,vnet1 --iface eth3 icmp or arp or stp|12
linux-bridge/exonerated-own-port|--bridge|--iface br0,eth2,vnet0 icmp or arp|11
EOF
}

# Host without Open vSwitch, VMs on Linux bridge br0, uplink eth2. ebtables nat, chain libvirt-I-vnet0 (as libvirt's
# nwfilter makes it) drops IPv4 ICMP of vnet0. vm1's requests die between vnet0 and eth2; vm1's answers to the gateway
# die there as well.
before_linux_bridge_fires() { lab fault on nwfilter; }
during_linux_bridge_fires() {
    in_node vm1 ping -c 6 -i 0.4 -W 1 "$GW"
    in_node gw ping -c 5 -i 0.4 -W 1 "$VM1"
    in_node vm2 ping -c 4 -i 0.4 -W 1 "$GW"
}

# ebtables nat POSTROUTING, chain libvirt-O-vnet0 drops ICMP towards vnet0. Requests of the gateway arrive at eth2 and
# die before vnet0; answers to vm1's own requests die there too.
before_linux_bridge_fires_ebtables_in() { lab fault on nwfilter --direction in; }
during_linux_bridge_fires_ebtables_in() {
    in_node vm1 ping -c 6 -i 0.4 -W 1 "$GW"
    in_node gw ping -c 5 -i 0.4 -W 1 "$VM1"
    in_node vm2 ping -c 4 -i 0.4 -W 1 "$GW"
}

# nftables table bridge guard, chain forward: iifname vnet0 ip protocol icmp drop. vm1's requests die between vnet0
# and eth2.
before_linux_bridge_fires_nft() { lab fault on nft-bridge; }
during_linux_bridge_fires_nft() {
    in_node vm1 ping -c 8 -i 0.4 -W 1 "$GW"
    in_node vm2 ping -c 4 -i 0.4 -W 1 "$GW"
}

# br0 runs a spanning tree with forward delay 30 s, vnet0 has just joined: it is 'listening', then 'learning', for 60
# s. All that vm1 sends dies at vnet0 (also ARP), nothing reaches it.
before_linux_bridge_fires_stp() { lab fault on stp; }
during_linux_bridge_fires_stp() {
    in_node vm1 ping -c 8 -i 0.4 -W 1 "$GW"
    in_node gw ping -c 4 -i 0.4 -W 1 "$VM1"
    in_node vm2 ping -c 4 -i 0.4 -W 1 "$GW"
}

# Nothing on the bridge drops; the guest of vm1 does (its own nft): requests are delivered at vnet0.
before_linux_bridge_near_miss() { silent_to_pings vm1; }
during_linux_bridge_near_miss() {
    in_node gw ping -c 8 -i 0.4 -W 1 "$VM1"
    in_node gw ping -c 4 -i 0.4 -W 1 "$VM2"
}

# nftables drops ICMP of vnet0 to an address nobody uses; all pings are answered.
before_linux_bridge_exonerated() { lab fault on nft-other; }
during_linux_bridge_exonerated() {
    in_node vm1 ping -c 8 -i 0.4 -W 1 "$GW"
    in_node gw ping -c 4 -i 0.4 -W 1 "$VM1"
    in_node vm1 ping -c 4 -i 0.3 -W 1 "$VM2"
}

# A second uplink eth3 is blocked by br0's spanning tree (rightly, or there would be a loop); all pings are answered
# by eth2. Broadcasts also arrive at eth3 and are rightly not let in.
before_linux_bridge_exonerated_stp() { lab fault on stp-spare; }
during_linux_bridge_exonerated_stp() {
    in_node vm1 ping -c 8 -i 0.4 -W 1 "$GW"
    in_node gw ping -c 4 -i 0.4 -W 1 "$VM1"
}

# br0 itself is recorded (and so promiscuous): it gets a copy of every forwarded frame. No fault; all pings are
# answered.
during_linux_bridge_exonerated_own_port() {
    in_node vm1 ping -c 8 -i 0.4 -W 1 "$GW"
    in_node gw ping -c 4 -i 0.4 -W 1 "$VM1"
}
