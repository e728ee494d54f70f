#!/usr/bin/env bash
# The old script's options, place and file names, recorded by netcap: for hands and runbooks that know check_network.sh.
set -euo pipefail

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

# The recorder beside this script, of a clone, or of the PATH.
find_netcap() {
    local here target candidate
    here=$(dirname "$(readlink -f "$0")")
    target=${CARGO_TARGET_DIR:-$here/../target}
    for candidate in "$here/netcap" "$here/../dist/netcap" "$target/release/netcap" "$target/debug/netcap"; do
        if [[ -f $candidate && -x $candidate ]]; then
            readlink -f "$candidate"
            return
        fi
    done
    command -v netcap || {
        echo "check_network.sh: no netcap beside this script nor in the PATH; put it there" >&2
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
