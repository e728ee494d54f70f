# shellcheck shell=bash disable=SC2154 # parts of samples/record, with its names and helpers
# Cases of daemons that do not answer.

cases_daemons() {
    cat <<'EOT'
acl-drop/fires-daemon-hung||--vswitch vswitch0 --iface vnet0 icmp or arp|34
daemon-silent/fires||--vswitch vswitch0 --iface vnet0 icmp or arp|30
daemon-silent/near-miss||--vswitch vswitch0 --iface vnet0 icmp or arp|14
daemon-silent/exonerated||--vswitch vswitch0 --iface vnet0 icmp or arp|14
EOT
}

# Stops ovs-vswitchd of host1, or lets it go on: vswitchd STOP|CONT
vswitchd() { in_node host1 sh -c "kill -$1 \$(cat /run/openvswitch/ovs-vswitchd.pid)"; }

# ovs-vswitchd is stopped (SIGSTOP) for 22 s after 4 answered pings; everything in its switch dies meanwhile, for the
# datapath is its own. Then it goes on.
during_daemon_silent_fires() {
    in_node vm1 ping -c 4 -i 0.4 -W 1 "$GW"
    vswitchd STOP
    in_node vm1 ping -c 8 -i 0.5 -W 1 "$GW"
    sleep 18
    vswitchd CONT
    sleep 1
}

# It is stopped for a second and a half, less than any question waits: what comes meanwhile waits in its sockets and is
# forwarded late.
during_daemon_silent_near_miss() {
    { sleep 2; vswitchd STOP; sleep 1.5; vswitchd CONT; } &
    in_node vm1 ping -c 12 -i 0.4 -W 4 "$GW"
    wait $!
}

# It answers all the time; a rule drops the pings.
before_daemon_silent_exonerated() { lab fault on acl-drop; }
during_daemon_silent_exonerated() {
    in_node vm1 ping -c 8 -i 0.4 -W 1 "$GW"
}

# A rule drops the pings before ovs-vswitchd is stopped, meanwhile, and after it: the rule is the cause of all of them.
before_acl_drop_fires_daemon_hung() { lab fault on acl-drop; }
during_acl_drop_fires_daemon_hung() {
    in_node vm1 ping -c 6 -i 0.5 -W 1 "$GW"
    vswitchd STOP
    in_node vm1 ping -c 8 -i 0.5 -W 1 "$GW"
    sleep 14
    vswitchd CONT
    sleep 1
    in_node vm1 ping -c 6 -i 0.5 -W 1 "$GW"
}
