# shellcheck shell=bash disable=SC2034,SC2153 # the parts share variables
# Names, messages, requirements, and running things inside a node.

LAB=${NETCAP_LAB:-lab}
ROOT=/run/netcap-lab
STATE=$ROOT/$LAB
SCHEMA=/usr/share/openvswitch/vswitch.ovsschema

say() { printf '%s\n' "$*"; }
warn() { printf 'lab: %s\n' "$*" >&2; }
die() {
    warn "$*"
    exit 1
}

# No dot in a lab's name: the dot separates it from the node in a namespace's
# name, so that lab `a` never takes the namespaces of lab `a-b` for its own.
valid_name() {
    [[ $LAB =~ ^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$ ]] ||
        die "NETCAP_LAB='$LAB' cannot name a lab: use up to 32 of A-Z a-z 0-9 _ -"
}

need_root() {
    ((EUID == 0)) || die "needs root, for namespaces and Open vSwitch: run it with sudo"
}

# tool:package, all in Debian 12.
TOOLS=(ovs-vsctl:openvswitch-switch ovs-vswitchd:openvswitch-switch ovsdb-server:openvswitch-switch
    ovsdb-tool:openvswitch-common ip:iproute2 bridge:iproute2 tc:iproute2 nft:nftables ebtables:iptables nsenter:util-linux
    unshare:util-linux setsid:util-linux flock:util-linux hostname:hostname ping:iputils-ping arping:iputils-arping ethtool:ethtool
    lldpd:lldpd socat:socat dnsmasq:dnsmasq-base)
LIBVIRT_TOOLS=(libvirtd:libvirt-daemon-system virsh:libvirt-clients qemu-system-x86_64:qemu-system-x86)

# packages [missing]: the packages of TOOLS and "$@", or only those not there.
packages() {
    local only=$1 entry
    shift
    for entry in "$@"; do
        [[ $only == missing ]] && command -v "${entry%%:*}" >/dev/null && continue
        printf '%s\n' "${entry##*:}"
    done | sort -u
}

cmd_deps() {
    local only=all
    [[ ${1:-} == --missing ]] && only=missing
    packages "$only" "${TOOLS[@]}" "${LIBVIRT_TOOLS[@]}"
}

need_tools() {
    local missing
    missing=$(packages missing "$@" | paste -sd' ')
    [[ -z $missing ]] || die "tools are missing; run: apt-get install -y --no-install-recommends $missing"
}

ns() { printf 'nclab.%s.%s' "$LAB" "$1"; }

# Load what `up` was asked for: HOSTS, VMS (of each host), VLAN, LIBVIRT.
load_config() {
    [[ -e $STATE/ready ]] || die "lab '$LAB' is not up: run \`lab up\` first"
    # shellcheck source=/dev/null
    source "$STATE/config"
}

# The pid that holds a node's namespaces; empty unless it really is that one.
holder() {
    local pid inode
    read -r pid 2>/dev/null <"$STATE/$1/holder.pid" || return 1
    inode=$(stat -Lc %i "/run/netns/$(ns "$1")" 2>/dev/null) || return 1
    [[ $(stat -Lc %i "/proc/$pid/ns/net" 2>/dev/null) == "$inode" ]] && printf '%s' "$pid"
}

# Run a command in a node's namespaces: inside NODE CMD...
inside() {
    local node=$1 pid
    shift
    pid=$(holder "$node") || die "node '$node' of lab '$LAB' is gone: run \`lab down\`, then \`lab up\`"
    nsenter -t "$pid" --net --mount --uts -- "$@"
}

# Start what puts itself into the background: daemon NODE CMD... Its words go to a
# file, for a caller's pipe would stay open as long as the daemon runs.
daemon() {
    local log=$STATE/$1/start.log
    inside "$@" </dev/null >"$log" 2>&1 || die "$2 of $1 does not start: $(tail -5 "$log")"
}

cmd_exec() {
    local node=${1:-} pid
    load_config
    (($# >= 2)) || die "usage: lab exec NODE CMD...; nodes: $(nodes | paste -sd' ')"
    pid=$(holder "$node") || die "no node '$node' in lab '$LAB'; nodes: $(nodes | paste -sd' ')"
    shift
    # exec, so that the caller's child is the command itself and can be signalled.
    unset NETCAP_LAB_MARK NETCAP_LAB_JOB OVS_RUNDIR
    exec nsenter -t "$pid" --net --mount --uts --wdns="$PWD" -- "$@"
}

# Background work inside a node, found again by its mark: job_start JOB NODE CMD...
job_start() {
    local job=$1 node=$2 pid
    shift 2
    pid=$(holder "$node") || die "node '$node' of lab '$LAB' is gone"
    mkdir -p "$STATE/log"
    NETCAP_LAB_MARK=$LAB NETCAP_LAB_JOB=$job setsid \
        nsenter -t "$pid" --net --mount --uts -- "$@" </dev/null >>"$STATE/log/$job.log" 2>&1 &
    disown
}

# Leave in PIDS the processes whose environment has every given NAME=VALUE, but
# this one and those that started it. In a variable and not on stdout, for the
# subshell of a substitution would carry the mark and find itself.
find_marked() {
    local mark files=() found pid
    files=(/proc/[0-9]*/environ)
    for mark in "$@"; do
        mapfile -t found < <(grep -lzxF -- "$mark" "${files[@]}" 2>/dev/null)
        files=("${found[@]}")
        ((${#files[@]})) || break
    done
    PIDS=()
    for pid in "${files[@]//[!0-9]/}"; do keep_pid "$pid"; done
}

# Add a pid to PIDS, unless it is gone again or one of the caller's own line.
keep_pid() {
    [[ -n $1 && -d /proc/$1 && " ${ANCESTRY:=$(ancestry)} " != *" $1 "* ]] || return 0
    PIDS+=("$1")
}

ancestry() {
    local pid=$$ line
    while ((pid > 1)); do
        printf '%s ' "$pid"
        line=$(cat "/proc/$pid/stat" 2>/dev/null) || break
        line=${line##*) }
        read -r _ pid _ <<<"$line"
    done
}

job_stop() {
    local end=$((SECONDS + 3 * PATIENCE))
    while job_runs "$1"; do
        ((SECONDS < end)) || die "job '$1' of lab '$LAB' does not die: ${PIDS[*]}"
        kill -KILL "${PIDS[@]}" 2>/dev/null || true
        sleep 0.03
    done
}

job_runs() {
    find_marked "NETCAP_LAB_MARK=$LAB" "NETCAP_LAB_JOB=$1"
    ((${#PIDS[@]}))
}

# How many times longer things may take than on a machine with nothing else to do.
PATIENCE=${NETCAP_LAB_PATIENCE:-15}

# Try CMD until it succeeds, for the seconds that it takes on an idle machine, or
# as long as a busy one may need: until_true SECONDS CMD...
until_true() {
    local end=$((SECONDS + $1 * PATIENCE))
    shift
    until "$@"; do
        ((SECONDS < end)) || return 1
        sleep 0.2
    done
}
