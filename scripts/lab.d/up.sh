# shellcheck shell=bash disable=SC2034,SC2153 # the parts share variables
# Raising the lab, and showing what it is.

parse_up() {
    HOSTS=1 VMS=2 VLAN=0 LIBVIRT=0 BRIDGE=0
    while (($#)); do
        case $1 in
        --hosts) number HOSTS "$1" "${2:-}" 1 16 && shift ;;
        --vms) number VMS "$1" "${2:-}" 1 20 && shift ;;
        --vlan) number VLAN "$1" "${2:-}" 2 4094 && shift ;;
        --libvirt) LIBVIRT=1 ;;
        --bridge) BRIDGE=1 ;;
        *) die "unknown option '$1' of \`lab up\`; it knows --hosts N, --vms N, --vlan TAG, --libvirt, --bridge" ;;
        esac
        shift
    done
    ((HOSTS * VMS <= 80)) || die "$HOSTS hosts with $VMS VMs each are more than the 80 VMs a lab can have"
    ((BRIDGE == 0 || VLAN + LIBVIRT == 0)) || die "--bridge goes with neither --vlan nor --libvirt"
}

# number VARIABLE OPTION VALUE LOWEST HIGHEST
number() {
    local value=-1
    [[ ! $3 =~ ^[0-9]{1,5}$ ]] || value=$((10#$3))
    ((value >= $4 && value <= $5)) || die "$2 wants a number from $4 to $5, not '$3'"
    printf -v "$1" %d "$value"
}

cmd_up() {
    parse_up "$@"
    need_tools "${TOOLS[@]}"
    ((LIBVIRT == 0)) || need_tools "${LIBVIRT_TOOLS[@]}"
    [[ ! -e $STATE/ready ]] || die "lab '$LAB' is already up: run \`lab down\` first, or choose another NETCAP_LAB"
    teardown # the remains of an `up` that was killed
    trap 'raise_failed $?' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    mkdir -p "$STATE/faults"
    printf '%s\n' "HOSTS=$HOSTS VMS=$VMS VLAN=$VLAN LIBVIRT=$LIBVIRT BRIDGE=$BRIDGE" >"$STATE/config"
    raise
    touch "$STATE/ready"
    trap - EXIT INT TERM
    say "lab '$LAB' is up: $(nodes | paste -sd' ')"
}

raise_failed() {
    trap - EXIT
    disown -a # their end is wanted, not news
    warn "raising lab '$LAB' failed; taking it down again"
    teardown || true
    exit "$1"
}

raise() {
    local node jobs=()
    write_names
    for node in $(nodes); do node_add "$node"; done
    for node in $(nodes); do node_wait "$node"; done
    raise_switch
    for node in $(host_nodes); do
        raise_host "$node" &
        jobs+=($!)
    done
    for node in "${jobs[@]}"; do
        wait "$node" || die "a host could not be raised; the lines above say why"
    done
    services_start
    # Everyone speaks once, so that the switch knows all and counters have begun.
    until_true 10 check_pairs quiet || die "the lab is up, but not healthy: $(check_pairs "" 2>&1 | grep -v ^ok)"
}

raise_switch() {
    ip -n "$(ns switch)" link add br0 type bridge stp_state 0 forward_delay 0 mcast_snooping 0
    # Bridged frames are not for netfilter here; without its module nothing to turn off.
    ip -n "$(ns switch)" link set br0 type bridge nf_call_iptables 0 nf_call_ip6tables 0 nf_call_arptables 0 2>/dev/null || true
    inside switch sh -c 'echo 1 >/proc/sys/net/ipv6/conf/br0/disable_ipv6' 2>/dev/null || true
    ip -n "$(ns switch)" link set br0 up
    cable gw eth0 "$GW_MAC" switch gw && switch_port gw
    cable pc eth0 "$PC_MAC" switch pc && switch_port pc
    plug gw eth0 "$GW_IP/24"
    plug pc eth0 "$PC_IP/24" "$GW_IP"
    ((VLAN)) || return 0
    cable gw eth1 "${GW_MAC%fe}fd" switch gw-v
    cable pc eth1 "${PC_MAC%d8}d9" switch pc-v
    ovs_access_switch
    plug gw eth1 "$(vm_gw)/24"
    plug pc eth1 "$(vm_net).50/24"
    inside gw sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'
}

raise_host() {
    local host=$1 member vm tap taps=()
    for member in eth2 eth3; do
        cable "$host" "$member" "$(host_mac "$host" "$member")" switch "$host-$member"
        switch_port "$host-$member"
    done
    for vm in $(vm_nodes); do
        [[ $(vm_host "$vm") == "$host" ]] || continue
        tap=$(vm_tap "$vm")
        taps+=("$tap")
        cable "$vm" eth0 "$(vm_mac "$vm")" "$host" "$tap"
        ip -n "$(ns "$host")" link set "$tap" address "$(tap_mac "$vm")"
    done
    if ((BRIDGE)); then linux_bridge "$host" "${taps[@]}"; else ovs_vswitch "$host" "${taps[@]}"; fi
    for vm in $(vm_nodes); do
        [[ $(vm_host "$vm") != "$host" ]] || plug "$vm" eth0 "$(vm_ip "$vm")/24" "$(vm_gw)"
    done
    ((LIBVIRT == 0)) || libvirt_start "$host"
}

cmd_status() {
    local node host fault
    [[ -e $STATE/ready ]] || { say "lab '$LAB' is not up" && return 1; }
    load_config
    say "lab '$LAB': $HOSTS host(s), $VMS VM(s) each, VLAN $( ((VLAN)) && echo "$VLAN" || echo none), libvirt $( ((LIBVIRT)) && echo yes || echo no)"
    printf '%-8s %-16s %-18s %s\n' node address mac where
    printf '%-8s %-16s %-18s %s\n' gw "$GW_IP" "$GW_MAC" "switch gw$( ((VLAN == 0)) || echo "; eth1 $(vm_gw)")" \
        pc "$PC_IP" "$PC_MAC" "switch pc$( ((VLAN == 0)) || echo "; eth1 $(vm_net).50")"
    for host in $(host_nodes); do
        printf '%-8s %-16s %-18s %s\n' "$host" "$(host_ip "$host")" "$(host_mac "$host" eth2)" \
            "$( ((BRIDGE)) && echo "switch $host-eth2; Linux bridge br0" || echo "switch $host-eth2 $host-eth3; active $(active_member "$host"); OVS_RUNDIR=$STATE/$host/ovs")"
    done
    for node in $(vm_nodes); do
        printf '%-8s %-16s %-18s %s\n' "$node" "$(vm_ip "$node")" "$(vm_mac "$node")" "$(vm_host "$node") $(vm_tap "$node")"
    done
    for fault in "$STATE"/faults/*; do
        [[ ! -e $fault ]] || say "fault on: $(cat "$fault")"
    done
}
