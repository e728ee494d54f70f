# shellcheck shell=bash disable=SC2034,SC2153 # the parts share variables
# Nodes, addresses, MACs, and the cables between the nodes.

GW_IP=192.168.12.254 GW_MAC=3c:8c:40:00:12:fe
PC_IP=192.168.12.50 PC_MAC=40:a8:f0:28:14:d8

host_nodes() { for ((i = 1; i <= HOSTS; i++)); do say "host$i"; done; }
vm_nodes() { for ((i = 1; i <= HOSTS * VMS; i++)); do say "vm$i"; done; }
nodes() { say switch && say gw && say pc && host_nodes && vm_nodes; }

host_ip() { printf '192.168.12.%d' $((18 + ${1#host})); }
# The third byte of the host's own part differs; eth2's MAC is the lower one,
# from which Open vSwitch takes the bridge's.
host_mac() { printf 'fc:15:b4:1c:%02x:%02x' $((0xac + ${1#host})) $((0x77 + ${2#eth})); }

vm_host() { printf 'host%d' $(((${1#vm} - 1) / VMS + 1)); }
vm_tap() { printf 'vnet%d' $(((${1#vm} - 1) % VMS)); }
vm_mac() { printf '0c:da:41:1d:56:%02x' $((0xa6 + ${1#vm})); }
tap_mac() { printf 'fe:da:41:1d:56:%02x' $((0xa6 + ${1#vm})); }
vm_uuid() { printf 'bfcd8333-2282-4d08-a0bb-cc14a3%06x' "${1#vm}"; }
iface_uuid() { printf '41f62fca-275b-4a72-8ad8-515d9e%06x' "${1#vm}"; }
first_vm() { printf 'vm%d' $(((${1#host} - 1) * VMS + 1)); }

# The VMs' network: the hosts' own, or with a tag one of its own, for the tagged
# world is another broadcast domain; the gateway and the PC have a leg in it.
vm_net() { if ((VLAN)); then printf '10.%d.%d' $((VLAN / 256)) $((VLAN % 256)); else printf '192.168.12'; fi; }
vm_ip() { printf '%s.%d' "$(vm_net)" $((100 + ${1#vm})); }
vm_gw() { printf '%s.254' "$(vm_net)"; }
leg() { if ((VLAN)); then printf eth1; else printf eth0; fi; }

node_ip() {
    case $1 in
    gw) printf %s "$GW_IP" ;;
    pc) printf %s "$PC_IP" ;;
    host*) host_ip "$1" ;;
    vm*) vm_ip "$1" ;;
    esac
}

node_add() {
    local node=$1
    mkdir -p "$STATE/$node"
    # One at a time on the machine: the first ever makes /run/netns a mount point.
    flock /run ip netns add "$(ns "$node")"
    setsid nsenter --net="/run/netns/$(ns "$node")" unshare --mount --uts -- \
        "$SELF" __hold "$node" </dev/null >>"$STATE/$node/hold.log" 2>&1 &
    disown
}

node_wait() {
    local end=$((SECONDS + 3 * PATIENCE))
    until holder "$1" >/dev/null; do
        ((SECONDS < end)) || die "node '$1' did not start: $(cat "$STATE/$1/hold.log")"
        sleep 0.02
    done
}

# Runs inside the new namespaces and stays, to hold them. What is mounted here
# is seen by this node only, and gone with its last process.
cmd_hold() {
    local node=$1 sys=$STATE/$1/sys dir
    hostname "$node"
    mkdir -p "$sys"
    mount -t sysfs sysfs "$sys"
    mount --rbind /sys/fs/cgroup "$sys/fs/cgroup" || true # not every kernel has it
    mount --move "$sys" /sys
    case $node in
    host* | switch) bind openvswitch ovs /run && bind openvswitch ovs-db /var/lib && bind openvswitch ovs-log /var/log ;;
    esac
    case $node in
    host*)
        bind lldpd lldpd /run
        for dir in run:/run etc:/etc lib:/var/lib log:/var/log; do
            bind libvirt "libvirt/${dir%%:*}" "${dir##*:}"
        done
        ;;
    esac
    # Names are looked up here, not in the machine's own network, which the node
    # cannot reach: a daemon that wants its host's name would wait for a time-out.
    mount --bind "$STATE/hosts" /etc/hosts
    [[ ! -e /etc/resolv.conf ]] || mount --bind "$STATE/resolv.conf" /etc/resolv.conf
    quiet_sysctls
    ip link set lo up
    printf '%s\n' "$$" >"$STATE/$node/holder.tmp"
    mv "$STATE/$node/holder.tmp" "$STATE/$node/holder.pid"
    exec sleep infinity
}

write_names() {
    local node
    {
        say "127.0.0.1 localhost"
        for node in $(nodes); do
            [[ $node == switch ]] || say "$(node_ip "$node") $node"
        done
    } >"$STATE/hosts"
    printf '%s\n' "nameserver $GW_IP" "options timeout:1 attempts:1" >"$STATE/resolv.conf"
}

# bind NAME DIR PARENT: the node's own DIR, where PARENT/NAME is on a real host.
bind() {
    mkdir -p "$STATE/$node/$2" "$3/$1"
    mount --bind "$STATE/$node/$2" "$3/$1"
}

# IPv6 stays, with link-local addresses only, and without the chatter at start.
quiet_sysctls() {
    local name
    for name in default all; do
        echo 0 >/proc/sys/net/ipv6/conf/$name/accept_ra
        echo 0 >/proc/sys/net/ipv6/conf/$name/accept_dad
        echo 0 >/proc/sys/net/ipv6/conf/$name/router_solicitations
    done 2>/dev/null || true
}

# cable NODE IFACE MAC PEER PEERIFACE: a veth pair made where it is to be, so no
# name ever appears in the machine's own namespace.
cable() {
    ip link add "$2" address "$3" netns "$(ns "$1")" type veth peer name "$5" netns "$(ns "$4")"
}

# The receiving Open vSwitch reads frames from a packet socket; a checksum left
# to the card would reach it unfinished, for there is no card.
no_offload() { inside "$1" ethtool -K "$2" tx off >/dev/null 2>&1 || warn "cannot turn off offload on $1 $2"; }

# plug NODE IFACE ADDRESS/LEN [ROUTER]: an end system's interface.
plug() {
    no_offload "$1" "$2"
    ip -n "$(ns "$1")" addr add "$3" dev "$2"
    ip -n "$(ns "$1")" link set "$2" up
    [[ -z ${4:-} ]] || ip -n "$(ns "$1")" route add default via "$4"
}

# A frame that comes in by an uplink or a tap belongs to Open vSwitch alone. Its
# userspace datapath only reads a copy, so the host's own stack must not get it:
# else a backup member would answer. Packet sockets see it before this hook.
keep_from_stack() {
    local node=$1 dev
    shift
    {
        echo 'add table netdev netcap_lab'
        for dev in "$@"; do
            echo "add chain netdev netcap_lab $dev { type filter hook ingress device $dev priority 0; policy drop; comment \"frames of $dev are for Open vSwitch only\"; }"
        done
    } | inside "$node" nft -f -
    for dev in "$@"; do
        inside "$node" sh -c "echo 1 >/proc/sys/net/ipv6/conf/$dev/disable_ipv6" 2>/dev/null || true
    done
}

# switch_port NAME: a leg of the switch.
switch_port() {
    inside switch sh -c "echo 1 >/proc/sys/net/ipv6/conf/$1/disable_ipv6" 2>/dev/null || true
    ip -n "$(ns switch)" link set "$1" master br0 up
}

# The leg of the switch behind which it knows a MAC.
switch_leg_of() {
    inside switch bridge fdb show br br0 | awk -v mac="$1" '$1 == mac && !/permanent/ && !seen++ { print $3 }'
}
