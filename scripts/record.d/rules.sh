# shellcheck shell=bash disable=SC2154 # parts of samples/record, with its names and helpers
# Cases of rules, connection tracking, bindings.

cases_rules() {
    cat <<'EOF'
ct-zone-mismatch/fires||--vswitch vswitch0 --iface vnet0,vnet1 tcp port 22 or arp|14
ct-zone-mismatch/near-miss||--vswitch vswitch0 --iface vnet0,vnet1 tcp or arp|13
ct-zone-mismatch/exonerated||--vswitch vswitch0 --iface vnet0,vnet1 tcp port 22 or arp|12
ip-mac-binding/fires||--vswitch vswitch0 --iface vnet0,vnet1 icmp or arp|13
ip-mac-binding/near-miss||--vswitch vswitch0 --iface vnet0,vnet1 icmp or arp|12
ip-mac-binding/exonerated||--vswitch vswitch0 --iface vnet0,vnet1 icmp or arp|11
acl-drop/fires-in||--vswitch vswitch0 --iface vnet0,vnet1 icmp or arp|13
acl-drop/near-miss-in||--vswitch vswitch0 --iface vnet0,vnet1 icmp or arp|12
acl-drop/exonerated-in||--vswitch vswitch0 --iface vnet0,vnet1 icmp or arp|12
packet-loss/exonerated-at-entry||--vswitch vswitch0 --iface vnet0,vnet1 icmp or arp|11
EOF
}

# stateful firewall, zone 188 at vnet0's flows and none (0) at vnet1's. TCP of vm1 to vm2:22 does not open: the SYN is
# committed in zone 188 and delivered; vm2's SYN-ACK is looked up in zone 0, is +inv there (new-est no, not a SYN),
# and dropped by priority=70,ct_state=+inv+trk actions=drop. TCP of vm1 with the gateway opens.
before_ct_zone_mismatch_fires() { lab fault on ct-zone --check no; }
during_ct_zone_mismatch_fires() {
    greets vm1 "$VM2/22" 4
    greets vm1 "$GW/22" 2
}

# The same firewall with ONE zone (188) at both ports. vm1 to vm2:22 opens; vm1 to vm2:9999 is not on the white list:
# the SYN is dropped by priority=30004,ct_state=+new-est,ip actions=drop (an explicit rule).
before_ct_zone_mismatch_near_miss() { lab fault on ct-ok --check no; }
during_ct_zone_mismatch_near_miss() {
    greets vm1 "$VM2/22" 2
    greets vm1 "$VM2/9999" 4
}

# The zones differ (188 and 0), but vm1 and vm2 do not talk with each other, only with the gateway, and all
# connections open.
before_ct_zone_mismatch_exonerated() { lab fault on ct-zone --check no; }
during_ct_zone_mismatch_exonerated() {
    greets vm1 "$GW/22" 3
    greets vm2 "$GW/22" 3
    greets gw "$VM2/22" 2
}

# vnet0 is bound to 192.168.12.101 (flows priority 200 pass ip/arp of it, priority 190 drop every other ip and arp of
# in_port=11). vm1 has a second address .201; the gateway pings it: vm1's ARP answers and/or echo replies from .201
# die at vnet0. Pings to .101 are answered.
before_ip_mac_binding_fires() { lab fault on ip-mac-binding; }
during_ip_mac_binding_fires() {
    in_node gw ping -c 6 -i 0.5 -W 1 192.168.12.201
    in_node gw ping -c 4 -i 0.3 -W 1 "$VM1"
    in_node vm1 ping -c 4 -i 0.4 -W 1 -I 192.168.12.201 "$GW"
}

# The binding is there and permits .101, from which vm1 speaks; but another rule drops its ICMP to the gateway
# (priority 30004).
before_ip_mac_binding_near_miss() {
    lab fault on ip-mac-binding
    lab fault on acl-drop
}
during_ip_mac_binding_near_miss() {
    in_node vm1 ping -c 8 -i 0.5 -W 1 "$GW"
    in_node vm1 ping -c 4 -i 0.3 -W 1 "$VM2"
}

# The binding is there and only the bound address is used; all pings are answered.
before_ip_mac_binding_exonerated() { lab fault on ip-mac-binding; }
during_ip_mac_binding_exonerated() {
    in_node vm1 ping -c 8 -i 0.4 -W 1 "$GW"
    in_node gw ping -c 6 -i 0.4 -W 1 "$VM1"
}

# ICMP towards vm1 (dl_dst=0c:da:41:1d:56:a7) is resubmitted to table 1, whose only rule drops (cookie 0x302).
# Requests of the gateway to vm1 die at eth3; vm1's own requests are answered by the gateway and the answers die at
# eth3; those of vm2 to vm1 die at vnet1.
before_acl_drop_fires_in() { lab fault on acl-in; }
during_acl_drop_fires_in() {
    in_node gw ping -c 6 -i 0.4 -W 1 "$VM1"
    in_node vm1 ping -c 5 -i 0.4 -W 1 "$GW"
    in_node vm2 ping -c 4 -i 0.4 -W 1 "$VM1"
}

# The same two rules, but for vm2's MAC, to which nobody speaks; vm1's guest drops ICMP by its own firewall.
before_acl_drop_near_miss_in() {
    lab fault on acl-in --victim vm2
    silent_to_pings vm1
}
during_acl_drop_near_miss_in() { in_node gw ping -c 8 -i 0.4 -W 1 "$VM1"; }

# The same rules for vm1, repaired before vm1 is pinged.
before_acl_drop_exonerated_in() { lab fault on acl-in; }
during_acl_drop_exonerated_in() {
    lab fault off acl-in --check no
    sleep 0.5
    in_node gw ping -c 8 -i 0.4 -W 1 "$VM1"
}

# As OVN does: a flow of vswitch0 answers vm1's pings to 192.168.12.1 itself (IN_PORT) and its ARP; requests and
# answers are seen at vnet0 only. Right: all answered, nothing lost.
before_packet_loss_exonerated_at_entry() {
    scripts/lab exec host1 ovs-ofctl -O OpenFlow13 add-flows vswitch0 - <<'F'
cookie=0x60,table=0,priority=100,arp,in_port=11,arp_tpa=192.168.12.1,arp_op=1 actions=move:NXM_OF_ETH_SRC[]->NXM_OF_ETH_DST[],set_field:02:00:00:00:00:01->eth_src,set_field:2->arp_op,move:NXM_NX_ARP_SHA[]->NXM_NX_ARP_THA[],set_field:02:00:00:00:00:01->arp_sha,move:NXM_OF_ARP_SPA[]->NXM_OF_ARP_TPA[],set_field:192.168.12.1->arp_spa,IN_PORT
cookie=0x60,table=0,priority=100,icmp,in_port=11,nw_dst=192.168.12.1,icmp_type=8,icmp_code=0 actions=move:NXM_OF_ETH_SRC[]->NXM_OF_ETH_DST[],set_field:02:00:00:00:00:01->eth_src,move:NXM_OF_IP_SRC[]->NXM_OF_IP_DST[],set_field:192.168.12.1->ip_src,set_field:0->icmp_type,IN_PORT
F
}
during_packet_loss_exonerated_at_entry() {
    in_node vm1 ping -c 10 -i 0.4 -W 1 192.168.12.1
    in_node vm1 ping -c 4 -i 0.3 -W 1 "$GW"
}
