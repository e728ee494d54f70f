# shellcheck shell=bash disable=SC2154 # parts of samples/record, with its names and helpers
# Cases of what is sent elsewhere: by rules, across patch ports, in fragments, to a MAC that nobody has.

cases_forwards() {
    cat <<'EOF'
misforward/fires||--vswitch vswitch0 --iface vnet0,vnet1 icmp or arp|12
misforward/fires-group||--vswitch vswitch0 --iface vnet0,vnet1 icmp or arp|12
misforward/fires-miss||--vswitch vswitch0 --iface vnet0,vnet1 icmp or arp|12
misforward/near-miss||--vswitch vswitch0 --iface vnet0,vnet1 icmp or arp|12
misforward/exonerated||--vswitch vswitch0 --iface vnet0,vnet1 icmp or arp|12
vlan-mismatch/fires-patch|--vlan 188|--vswitch vswitch0 --iface vnet0,vnet1 icmp or arp|12
vlan-mismatch/fires-patch-tag|--vlan 188|--vswitch vswitch0 --iface vnet0,vnet1 icmp or arp|12
vlan-mismatch/near-miss-patch|--vlan 188|--vswitch vswitch0 --iface vnet0,vnet1 icmp or arp|12
vlan-mismatch/exonerated-patch|--vlan 188|--vswitch vswitch0 --iface vnet0,vnet1 icmp or arp|12
acl-drop/fires-fragments||--vswitch vswitch0 --iface vnet0,vnet1 icmp or arp|12
acl-drop/near-miss-fragments||--vswitch vswitch0 --iface vnet0,vnet1 icmp or arp|12
acl-drop/exonerated-fragments||--vswitch vswitch0 --iface vnet0,vnet1 icmp or arp|12
dns-elsewhere/fires||--vswitch vswitch0 --iface vnet0,vnet1 udp port 53 or arp|12
dns-elsewhere/near-miss||--vswitch vswitch0 --iface vnet0,vnet1 udp port 53 or arp|12
dns-elsewhere/exonerated||--vswitch vswitch0 --iface vnet0,vnet1 udp port 53 or arp|12
wrong-mac/fires||--vswitch vswitch0 --iface vnet0,vnet1 icmp or arp|12
wrong-mac/fires-in||--vswitch vswitch0 --iface vnet0,vnet1 icmp or arp|12
wrong-mac/near-miss||--vswitch vswitch0 --iface vnet0,vnet1 icmp or arp|12
wrong-mac/exonerated||--vswitch vswitch0 --iface vnet0,vnet1 icmp or arp|12
device-filter/fires|--bridge|--iface eth2,vnet0,vnet1 icmp or arp|12
device-filter/fires-uncounted|--bridge|--iface eth2,vnet0,vnet1 icmp or arp|12
device-filter/near-miss|--bridge|--iface eth2,vnet0,vnet1 icmp or arp|12
device-filter/exonerated|--bridge|--iface eth2,vnet0,vnet1 icmp or arp|12
EOF
}

# The flows of vswitch0, one a line.
host1_flows() { scripts/lab exec host1 ovs-ofctl -O OpenFlow13 add-flows vswitch0 -; }

# A rule sends vm1's pings of the gateway to vnet1, where vm2 is. vm2's own pings are answered.
before_misforward_fires() {
    host1_flows <<<"cookie=0x71,table=0,priority=300,icmp,in_port=11,nw_dst=$GW actions=output:12"
}
during_misforward_fires() {
    in_node vm1 ping -c 8 -i 0.4 -W 1 "$GW"
    in_node vm2 ping -c 4 -i 0.3 -W 1 "$GW"
}

# What comes in at eth3 for vm1 goes to a group, and that to vnet1.
before_misforward_fires_group() {
    scripts/lab exec host1 ovs-ofctl -O OpenFlow13 add-group vswitch0 'group_id=7,type=all,bucket=output:12'
    host1_flows <<<"cookie=0x72,table=0,priority=300,icmp,in_port=2,dl_dst=0c:da:41:1d:56:a7 actions=group:7"
}
during_misforward_fires_group() {
    in_node gw ping -c 8 -i 0.4 -W 1 "$VM1"
    in_node gw ping -c 4 -i 0.3 -W 1 "$VM2"
}

# vm1's packets go to table 9, which has no rule for ICMP.
before_misforward_fires_miss() {
    host1_flows <<'F'
cookie=0x73,table=0,priority=300,ip,in_port=11 actions=resubmit(,9)
cookie=0x73,table=9,priority=100,tcp actions=NORMAL
F
}
during_misforward_fires_miss() {
    in_node vm1 ping -c 8 -i 0.4 -W 1 "$GW"
    in_node vm2 ping -c 4 -i 0.3 -W 1 "$GW"
}

# The rule names the right port, the active member; the gateway itself takes the pings away.
before_misforward_near_miss() {
    host1_flows <<<"cookie=0x74,table=0,priority=300,icmp,in_port=11,nw_dst=$GW actions=output:2"
    silent_to_pings gw
}
during_misforward_near_miss() { in_node vm1 ping -c 8 -i 0.4 -W 1 "$GW"; }

# The rule sends them to vnet1 as well: all are answered.
before_misforward_exonerated() {
    host1_flows <<<"cookie=0x75,table=0,priority=300,icmp,in_port=11,nw_dst=$GW actions=output:12,NORMAL"
}
during_misforward_exonerated() {
    in_node vm1 ping -c 8 -i 0.4 -W 1 "$GW"
    in_node gw ping -c 4 -i 0.3 -W 1 "$VM1"
}

# vnet0 moves to a bridge of its own, which patch ports join to vswitch0: behind_a_patch OPTIONS-OF-ITS-END OPTIONS-OF-THE-OTHER
behind_a_patch() {
    local near=$1 far=$2
    # shellcheck disable=SC2086 # options are words
    scripts/lab exec host1 ovs-vsctl --timeout=60 del-port vswitch0 vnet0 \
        -- add-br app -- set Bridge app datapath_type=netdev fail_mode=standalone \
        -- add-port app vnet0 tag=188 -- set Interface vnet0 ofport_request=11 \
        'external_ids:attached-mac="0c:da:41:1d:56:a7"' external_ids:vm-name=vm1 \
        -- add-port app up $near -- set Interface up type=patch options:peer=down \
        -- add-port vswitch0 down $far -- set Interface down type=patch options:peer=up
    scripts/lab exec host1 ip link set vnet0 up
}

# The patch port of the machine's bridge is a trunk of VLAN 100; the machine is in 188.
before_vlan_mismatch_fires_patch() { behind_a_patch trunks=100 ''; }
during_vlan_mismatch_fires_patch() {
    in_node vm1 ping -c 6 -i 0.5 -W 1 "$VG"
    in_node gw ping -c 6 -i 0.5 -W 1 "$V1"
    in_node vm2 ping -c 3 -i 0.3 -W 1 "$VG"
}

# The other bridge's patch port is in VLAN 77, and takes no frames with a tag.
before_vlan_mismatch_fires_patch_tag() { behind_a_patch '' tag=77; }
during_vlan_mismatch_fires_patch_tag() { during_vlan_mismatch_fires_patch; }

# The patch carries 188, and the physical switch does not.
before_vlan_mismatch_near_miss_patch() {
    behind_a_patch trunks=188 trunks=188
    in_node switch ovs-vsctl set Port trunk0 trunks=77
}
during_vlan_mismatch_near_miss_patch() {
    in_node vm1 ping -c 6 -i 0.5 -W 1 "$VG"
    in_node vm1 ping -c 3 -i 0.3 -W 1 "$V2"
}

# Both ends are access ports of the machine's VLAN: frames cross without a tag, and all are answered.
before_vlan_mismatch_exonerated_patch() { behind_a_patch tag=188 tag=188; }
during_vlan_mismatch_exonerated_patch() {
    in_node vm1 ping -c 8 -i 0.4 -W 1 "$VG"
    in_node gw ping -c 4 -i 0.4 -W 1 "$V1"
    in_node vm1 ping -c 3 -i 0.3 -W 1 "$V2"
}

# A rule drops later fragments of vm1: large pings die, small ones are answered.
before_acl_drop_fires_fragments() {
    host1_flows <<<"cookie=0x76,table=0,priority=300,ip,in_port=11,ip_frag=later actions=drop"
}
during_acl_drop_fires_fragments() {
    in_node vm1 ping -c 6 -i 0.4 -W 1 -s 4000 "$GW"
    in_node vm1 ping -c 4 -i 0.3 -W 1 "$GW"
}

# The gateway drops later fragments itself.
before_acl_drop_near_miss_fragments() {
    in_node gw nft "add table ip f; add chain ip f p { type filter hook prerouting priority -500; }; add rule ip f p ip frag-off & 0x1fff != 0 counter drop"
}
during_acl_drop_near_miss_fragments() { during_acl_drop_fires_fragments; }

# The same rule for vm2, which sends nothing large.
before_acl_drop_exonerated_fragments() {
    host1_flows <<<"cookie=0x77,table=0,priority=300,ip,in_port=12,ip_frag=later actions=drop"
}
during_acl_drop_exonerated_fragments() {
    in_node vm1 ping -c 6 -i 0.4 -W 1 -s 4000 "$GW"
    in_node vm2 ping -c 4 -i 0.3 -W 1 "$GW"
}

# vm1 has a fixed entry for the gateway, with a MAC that nobody has.
before_wrong_mac_fires() { in_node vm1 ip neigh replace "$GW" lladdr 02:de:ad:be:ef:01 dev eth0 nud permanent; }
during_wrong_mac_fires() {
    in_node vm1 ping -c 8 -i 0.4 -W 1 "$GW"
    in_node vm2 ip neigh flush dev eth0
    in_node vm2 ping -c 4 -i 0.3 -W 1 "$GW"
}

# The gateway has such an entry for vm1.
before_wrong_mac_fires_in() { in_node gw ip neigh replace "$VM1" lladdr 02:de:ad:be:ef:02 dev eth0 nud permanent; }
during_wrong_mac_fires_in() {
    in_node vm1 ip neigh flush dev eth0
    in_node gw ping -c 6 -i 0.4 -W 1 "$VM1"
    in_node vm1 ping -c 6 -i 0.4 -W 1 "$GW"
    in_node gw ping -c 4 -i 0.3 -W 1 "$VM2"
}

# The fixed entry is right; the gateway takes pings away.
before_wrong_mac_near_miss() {
    local mac
    mac=$(scripts/lab exec gw cat /sys/class/net/eth0/address)
    in_node vm1 ip neigh replace "$GW" lladdr "$mac" dev eth0 nud permanent
    silent_to_pings gw
}
during_wrong_mac_near_miss() {
    in_node vm1 ping -c 8 -i 0.4 -W 1 "$GW"
    in_node vm2 ip neigh flush dev eth0
    in_node vm2 ping -c 2 -i 0.3 -W 1 "$GW"
}

# The entry names a MAC that the gateway has besides its own, and never answers from: all are answered.
before_wrong_mac_exonerated() {
    in_node gw ip link set eth0 promisc on
    in_node gw ip link add link eth0 name second address 02:00:00:00:12:01 type macvlan mode bridge
    in_node gw ip link set second up
    in_node gw sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.second.rp_filter=0 net.ipv4.conf.second.arp_ignore=8
    in_node vm1 ip neigh replace "$GW" lladdr 02:00:00:00:12:01 dev eth0 nud permanent
}
during_wrong_mac_exonerated() {
    in_node vm1 ping -c 8 -i 0.4 -W 1 "$GW"
    in_node vm2 ip neigh flush dev eth0
    in_node vm2 ping -c 4 -i 0.3 -W 1 "$GW"
}

# A chain of nftables at vnet0's ingress, before the bridge: netdev_chain RULE
netdev_chain() {
    scripts/lab exec host1 nft "add table netdev guard; add chain netdev guard in0 { type filter hook ingress device vnet0 priority 0; }; add rule netdev guard in0 $1"
}

before_device_filter_fires() { netdev_chain 'icmp type echo-request counter drop'; }
during_device_filter_fires() {
    in_node vm1 ping -c 8 -i 0.4 -W 1 "$GW"
    in_node vm2 ping -c 4 -i 0.3 -W 1 "$GW"
}

before_device_filter_fires_uncounted() { netdev_chain 'icmp type echo-request drop'; }
during_device_filter_fires_uncounted() { during_device_filter_fires; }

# The rule is for an address nobody pings; the gateway takes pings away.
before_device_filter_near_miss() {
    netdev_chain 'ip daddr 198.51.100.6 counter drop'
    silent_to_pings gw
}
during_device_filter_near_miss() { in_node vm1 ping -c 8 -i 0.4 -W 1 "$GW"; }

# The rule counts and lets pass.
before_device_filter_exonerated() { netdev_chain 'icmp type echo-request counter accept'; }
during_device_filter_exonerated() {
    in_node vm1 ping -c 8 -i 0.4 -W 1 "$GW"
    in_node gw ping -c 4 -i 0.3 -W 1 "$VM1"
}

# Questions for host1.lab, each from a port of its own: looks_up NODE SERVER COUNT
looks_up() {
    for _ in $(seq "$3"); do
        # shellcheck disable=SC2016
        in_node "$1" timeout 1.5 bash -c 'printf "\0\7\1\0\0\1\0\0\0\0\0\0\5host1\3lab\0\0\1\0\1" | socat -t0.4 - "UDP:$0:53"' "$2"
    done
}

# The gateway answers with another address than was asked.
before_dns_elsewhere_fires() {
    in_node gw nft "add table ip n; add chain ip n o { type filter hook output priority -300; }; add rule ip n o udp sport 53 ip saddr set 192.168.12.253"
}
during_dns_elsewhere_fires() { looks_up vm1 "$GW" 6; }

# Two questions are answered; then the gateway takes them away, and nobody answers.
during_dns_elsewhere_near_miss() {
    looks_up vm1 "$GW" 2
    in_node gw nft "add table ip n; add chain ip n i { type filter hook input priority 0; }; add rule ip n i udp dport 53 counter drop"
    looks_up vm1 "$GW" 4
}

# Both addresses of the gateway are asked, and each answers for itself.
before_dns_elsewhere_exonerated() { in_node gw ip address add 192.168.12.253/24 dev eth0; }
during_dns_elsewhere_exonerated() {
    looks_up vm1 "$GW" 3
    looks_up vm1 192.168.12.253 3
}
