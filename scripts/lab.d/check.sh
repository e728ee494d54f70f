# shellcheck shell=bash disable=SC2034,SC2153 # the parts share variables
# Is the lab healthy: does everything reach what it must?

must_reach() {
    local vms node
    mapfile -t vms < <(vm_nodes)
    for node in $(host_nodes); do
        say "$node $GW_IP gw"
        say "gw $(host_ip "$node") $node"
        say "pc $(host_ip "$node") $node"
    done
    for node in "${vms[@]}"; do
        say "$node $(vm_gw) gw"
        say "gw $(vm_ip "$node") $node"
        [[ $node == "${vms[0]}" ]] || say "${vms[0]} $(vm_ip "$node") $node"
    done
}

# check_pairs [quiet]: every pair at once, for a dead one waits a second or two.
check_pairs() {
    local quiet=${1:-} from address to jobs=() lines=() i bad=0
    while read -r from address to; do
        inside "$from" ping -q -n -c 2 -i 0.2 -W 1 "$address" >/dev/null 2>&1 &
        jobs+=($!)
        lines+=("$from -> $to ($address)")
    done < <(must_reach)
    for ((i = 0; i < ${#jobs[@]}; i++)); do
        if wait "${jobs[i]}"; then
            [[ $quiet ]] || say "ok    ${lines[i]}"
        else
            bad=1
            [[ $quiet ]] || say "DEAD  ${lines[i]}"
        fi
    done
    return $bad
}

cmd_check() {
    load_config
    check_pairs "" && say "lab '$LAB' is healthy"
}
