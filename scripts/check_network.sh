#!/usr/bin/env bash
# The old script's options, place and file names, recorded by netcap: for hands and runbooks that know check_network.sh.
set -euo pipefail
# Root's own may name directories of others, or the one it happens to stand in.
PATH=/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin:/usr/local/bin:/opt/bin
export PATH

dir=${CHECK_NETWORK_DIR:-/root/tcpdump}

usage() {
    cat <<EOT
check_network.sh: record packets in the background, as it always did; netcap does the work

  check_network.sh [--vswitch=NAME] [--iface=vnet0,vnet1,...] [--iface_mac=MAC,MAC,...] [--ping=IP] [FILTER]

  --vswitch=vswitch0     its internal port and every uplink, bond members one by one
  --iface=vnet0,vnet1    these interfaces
  --iface_mac=MAC,MAC    the interfaces of these guest MACs
  --ping=IP              ping this address meanwhile
  FILTER                 what to record; nothing means everything

  ARP: arp and host x.x.x.x     ICMP: icmp and host x.x.x.x     ICMPv6: icmp6 and host x:x::x:x
  DNS: port domain              DHCP: udp and port 67 and port 68
  SSH: port 22 and host x.x.x.x LLDP: ether proto 0x88cc        LACP: ether proto 0x8809

Options of netcap work too, such as --duration 8h or --max-disk 10G (default 1 GiB: the oldest goes first).

In $dir (CHECK_NETWORK_DIR names another):
  STAMP-check_network.pid    the recorder's pid: "kill" it, or "netcap stop", and it ends orderly
  STAMP-ovs_dbg_listports    the topology
  STAMP-ping.log             the ping
  check_network.log          what this script did
  IFACE/STAMP/               the packets of an interface: 000001.pcapng.zst, ... (Wireshark opens them)
  HOST-STAMP/                the whole recording, with the host's state; "netcap bundle" makes one file of it

Exit status: 0 it records; else netcap's own: 1 it could not start, 2 the command line is wrong.
EOT
}

# Whether nobody but root and this user can put something else in place of a file or directory, or change it: it and all
# above it are theirs, and others may write at most to directories that are sticky, as /tmp is.
is_ours() {
    local path owner mode sticky=no
    path=$(readlink -f "$1") || return 1
    while :; do
        read -r owner mode < <(stat -c '%u %a' "$path") || return 1
        [[ $owner == 0 || $owner == "$EUID" ]] || return 1
        ((!(8#$mode & 8#022))) || [[ $sticky == allowed && $((8#$mode & 8#1000)) != 0 ]] || return 1
        [[ $path != / ]] || return 0
        path=$(dirname "$path")
        sticky=allowed
    done
}

# The recorder beside this script, of a clone, or where programs are installed.
find_netcap() {
    local here target candidate
    here=$(dirname "$(readlink -f "$0")")
    target=${CARGO_TARGET_DIR:-$here/../target}
    for candidate in "$here/netcap" "$here/../dist/netcap" "$target/release/netcap" "$target/debug/netcap"; do
        [[ -f $candidate && -x $candidate ]] || continue
        candidate=$(readlink -f "$candidate")
        if is_ours "$candidate"; then
            printf '%s\n' "$candidate"
            return
        fi
        echo "check_network.sh: $candidate is not started, for others can change it; chown it to root and take their right to write away" >&2
    done
    command -v netcap || {
        echo "check_network.sh: no netcap beside this script nor in $PATH; put it there" >&2
        return 1
    }
}

say() {
    printf '%s %s\n' "$(date '+%F %T')" "$*" >>"$dir/check_network.log"
}

# The platform's own listing where there is one, else netcap's, which has the same columns.
topology() {
    local tool text
    for tool in /opt/bin/ovs_dbg_listports ovs_dbg_listports; do
        is_ours "$(command -v "$tool")" || continue
        if text=$(timeout 10 "$tool" 2>/dev/null) && [[ -n $text ]]; then
            printf '%s\n' "$text"
            return
        fi
    done
    cat "$1/topology.txt"
}

# The old names for what lies in the run. Links: the packets are there once and count once.
arrange() {
    local run=$1 stamp=$2 pid=$3 point log address first=''
    echo "$pid" >"$dir/$stamp-check_network.pid"
    topology "$dir/$run" >"$dir/$stamp-ovs_dbg_listports"
    for point in "$dir/$run"/packets/*/; do
        [[ -d $point ]] || continue
        point=$(basename "$point")
        mkdir -p "$dir/$point"
        ln -sfn "../$run/packets/$point" "$dir/$point/$stamp"
    done
    for log in "$dir/$run"/ping/*.log; do
        [[ -f $log ]] || continue
        address=$(basename "$log" .log)
        # The old script knew one ping; further ones say which they are.
        ln -f "$log" "$dir/$stamp${first:+-$address}-ping.log"
        first=no
    done
}

case ${1:-} in
-h | --help) usage && exit ;;
'') usage >&2 && exit 2 ;;
esac

umask 077
netcap=$(find_netcap)
mkdir -p "$dir"
is_ours "$dir" || {
    echo "check_network.sh: nothing is written to $dir, for others can change what lies there; CHECK_NETWORK_DIR names another directory" >&2
    exit 2
}
say "check_network.sh $*"
status=0
run=$("$netcap" --detach --quiet --no-bundle --out "$dir" "$@") || status=$?
if ((status)); then
    say "not recording: netcap ended with $status"
    exit "$status"
fi
stamp=$(sed -E 's/.*-([0-9]{14}(-[0-9]+)?)$/\1/' <<<"$run")
pid=$("$netcap" status "$run" --json --out "$dir" | sed -n 's/^ *"pid": \([0-9]*\),*$/\1/p') ||
    say "netcap status does not know $run"
arrange "$run" "$stamp" "$pid"
say "recording in $dir/$run, pid $pid"
cat <<EOT
recording in $dir/$run
  look:     $netcap status $stamp
  end:      $netcap stop $stamp      (or: kill $pid)
  one file: $netcap bundle $dir/$run --move
EOT
