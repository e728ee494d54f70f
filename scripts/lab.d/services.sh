# shellcheck shell=bash disable=SC2034,SC2153 # the parts share variables
# What listens in the nodes, and the steady light traffic of a healthy network.

# Port 22 greets with the node's name, so that one sees who answers an address;
# port 8080 gives 64 KiB; the gateway is the network's name server, which knows
# host1.lab and of all other names that they do not exist.
services_start() {
    local node
    for node in $(nodes); do
        [[ $node != switch ]] || continue
        job_start services "$node" socat TCP-LISTEN:22,reuseaddr,fork "SYSTEM:echo SSH-2.0-lab_$node"
        job_start services "$node" socat TCP-LISTEN:8080,reuseaddr,fork "SYSTEM:head -c 65536 /dev/zero"
    done
    job_start services gw dnsmasq --keep-in-foreground --conf-file=/dev/null --no-resolv --no-hosts \
        --user=root --pid-file= --address="/host1.lab/$(host_ip host1)" --address=/#/
}

# Who answers port 22 of an address: greeting_of FROM ADDRESS.
greeting_of() {
    # shellcheck disable=SC2016
    inside "$1" timeout 2 bash -c 'exec 3<>"/dev/tcp/$1/22" && head -1 <&3' _ "$2" 2>/dev/null || true
}

# Who talks to whom, one line a pair: NODE ADDRESS. No host starts a talk of its
# own, so what the switch knows of a host comes from its answers, as for a host
# on which only VMs work.
traffic_pairs() {
    local node vms count
    mapfile -t vms < <(vm_nodes)
    count=${#vms[@]}
    for node in $(host_nodes); do
        say gw "$(host_ip "$node")"
        say pc "$(host_ip "$node")"
    done
    for ((i = 0; i < count; i++)); do
        say "${vms[i]}" "$(vm_gw)"
        ((count < 2)) || say "${vms[i]}" "$(vm_ip "${vms[(i + 1) % count]}")"
    done
}

# A standard query for the A record of host1.lab, sent and its answer awaited.
dns_query() {
    local id
    printf -v id '\\x%02x\\x%02x' $(($1 >> 8 & 255)) $(($1 & 255))
    # shellcheck disable=SC2059,SC2016
    printf "$id"'\1\0\0\1\0\0\0\0\0\0\5host1\3lab\0\0\1\0\1' |
        timeout 2 socat -t1 - "UDP:$2:53" >/dev/null 2>&1
}

# Inside a VM: a name looked up each second, 64 KiB fetched every other second.
cmd_job() {
    local peer=$1 gw=$2 turn=0
    while sleep 1; do
        dns_query "$turn" "$gw" || true
        # shellcheck disable=SC2016
        ((turn % 2)) || timeout 3 bash -c 'cat <"/dev/tcp/$1/8080" >/dev/null' _ "$peer" 2>/dev/null || true
        turn=$((turn + 1))
    done
}

cmd_traffic() {
    load_config
    case ${1:-} in
    start) traffic_start ;;
    stop) job_stop traffic && say "traffic is off" ;;
    *) die "usage: lab traffic start|stop" ;;
    esac
}

traffic_start() {
    local node address vms i
    ! job_runs traffic || die "traffic is already on"
    while read -r node address; do
        job_start traffic "$node" ping -q -i 1 "$address"
    done < <(traffic_pairs)
    mapfile -t vms < <(vm_nodes)
    for ((i = 0; i < ${#vms[@]}; i++)); do
        job_start traffic "${vms[i]}" "$SELF" __job "$(vm_ip "${vms[(i + 1) % ${#vms[@]}]}")" "$(vm_gw)"
    done
    say "traffic is on: $(traffic_pairs | wc -l) pings a second, DNS and TCP from each VM"
}
