#!/usr/bin/env bash
# Inside the guest of prove-nfs: a server of NFS, mounted from itself, and recordings to it.
set -euo pipefail
NETCAP=$(sed -n 's/.*guest_program=\([^ ]*\).*/\1/p' /proc/cmdline)
export LC_ALL=C OVS_RUNDIR=/nonexistent
SAID=/tmp/said
fail() { echo "FAILED: $*"; sed 's/^/    /' "$SAID" 2>/dev/null || true; exit 1; }

serve() {
    mount -t tmpfs -o mode=755 exports /srv
    mkdir -p /srv/plain /srv/root /srv/sticky /srv/nobody /var/lib/nfs/v4recovery
    local n=0 dir squash
    for dir in plain root sticky nobody; do mount -t tmpfs -o mode=755 "$dir" "/srv/$dir"; done
    chmod 1777 /srv/sticky
    chown 65534:65534 /srv/nobody
    # NFS 4 walks from the root of all exports.
    echo "/srv 127.0.0.1(ro,fsid=0,no_subtree_check,insecure)" >/etc/exports
    for dir in plain root sticky nobody; do
        squash=root_squash
        [[ $dir != plain ]] || squash=no_root_squash
        echo "/srv/$dir 127.0.0.1(rw,$squash,fsid=$((n += 1)),no_subtree_check,insecure)"
    done >>/etc/exports
    mount -t nfsd nfsd /proc/fs/nfsd
    # A client that was there before a restart may come back: nobody was.
    echo 10 >/proc/fs/nfsd/nfsv4leasetime
    echo 10 >/proc/fs/nfsd/nfsv4gracetime
    rpcbind -w
    exportfs -ar
    rpc.mountd -p 20048
    rpc.nfsd 4
    mkdir -p /mnt/plain4 /mnt/plain3 /mnt/root /mnt/sticky /mnt/nobody
    local options=hard,timeo=20,retrans=2
    mount -t nfs -o "vers=4.2,$options" 127.0.0.1:/plain /mnt/plain4
    mount -t nfs -o "vers=3,nolock,$options" 127.0.0.1:/srv/plain /mnt/plain3
    for dir in root sticky nobody; do mount -t nfs -o "vers=4.2,$options" "127.0.0.1:/$dir" "/mnt/$dir"; done
}

network() {
    ip netns add near
    ip netns add far
    ip -n near link add cap0 type veth peer name peer0 netns far
    for ns in near far; do ip netns exec "$ns" sysctl -qw net.ipv6.conf.all.disable_ipv6=1; done
    ip -n near link set cap0 up
    ip -n far link set peer0 up
}

# Sends so many frames into cap0.
send() {
    ip netns exec far python3 -c '
import socket, sys
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind(("peer0", 0))
for _ in range(int(sys.argv[1])): s.send(b"\xff" * 6 + b"\x02\0\0\0\0\1" + b"\x88\xb5" + b"x" * 86)' "$1"
}

until_() { # SECONDS WHAT COMMAND...
    local seconds=$1 what=$2 end=$((SECONDS + $1))
    shift 2
    until "$@" >/dev/null 2>&1; do
        ((SECONDS < end)) || fail "waited $seconds s in vain for $what"
        sleep 0.3
    done
}

packets() { "$NETCAP" status --out /nonexistent --json | grep -q "\"packets\": $1,"; }
silent() { "$NETCAP" status --out /nonexistent --json | grep -q disk_silent_s; }
runs() { find "$1" -mindepth 1 -maxdepth 1 | sort; }
gone() { ! kill -0 "$PID"; }

# Records to $1 until 50 packets are on the server; sets PID and RUN.
record() {
    ip netns exec near "$NETCAP" --iface=cap0 --out "$1" --min-free=1M --max-disk=20M --buffer=2M >"$SAID" 2>&1 &
    PID=$!
    until_ 60 "the first segment" test -e "$1"/*/packets/cap0/000001.pcapng.zst
    RUN=$(runs "$1" | head -n 1)
    send 50
    until_ 30 "50 packets" packets 50
    sleep 3
}

ended() { # STATUS
    local status=0
    until_ 150 "the end" gone
    wait "$PID" || status=$?
    [[ $status == "$1" ]] || fail "ended with $status, not $1"
}

clean() { find "$1" -mindepth 1 -delete; }

plain() {
    record "$1"
    kill -INT "$PID"
    ended 0
    [[ $(runs "$1") == "$RUN.tar" ]] || fail "left beside the tar: $(runs "$1")"
    grep -q '^1 point, 50 packets, 0 dropped' "$SAID" || fail "not 50 packets"
    ! grep -q 'is left' "$SAID" || fail "something is left"
    clean "$1"
    echo "ok: recorded to $1, nothing but the tar is left"
}

held() {
    record "$1"
    exec 7<"$RUN/netcap.log"
    kill -INT "$PID"
    ended 0
    grep -q "tar is whole; the directory $RUN, " "$SAID" || fail "not said that $RUN is left"
    tar tf "$RUN.tar" | grep -q netcap.log || fail "no whole tar"
    find "$RUN" -type f -name '.nfs*' | grep -q . || fail "no file that was kept: $(find "$RUN")"
    exec 7<&-
    "$NETCAP" seal "$RUN" >"$SAID" 2>&1 || fail "not sealed again"
    [[ $(runs "$1") == "$RUN.tar" ]] || fail "left beside the tar: $(find "$1")"
    clean "$1"
    echo "ok: $1: a directory that another program keeps is named, and goes when it is let go"
}

squashed() {
    local status=0
    ip netns exec near "$NETCAP" --iface=cap0 --out "$1" --min-free=1M --duration=2s >"$SAID" 2>&1 || status=$?
    [[ $status == 2 ]] || fail "ended with $status where root is nobody"
    grep -q root_squash "$SAID" || fail "no way out in it"
    [[ $(wc -l <"$SAID") == 1 ]] || fail "more than a sentence"
    [[ -z $(runs "$1") ]] || fail "left: $(runs "$1")"
    echo "ok: $1 with root_squash: $(cut -c 1-300 "$SAID")"
}

comes_back() {
    record "$1"
    ip link set lo down
    send 3000
    until_ 40 "a status that says so" silent
    ip link set lo up
    until_ 60 "an answer" eval '! silent'
    send 100
    until_ 60 "more packets" eval '! packets 50'
    sleep 3
    kill -INT "$PID"
    ended 0
    [[ $(runs "$1") == "$RUN.tar" ]] || fail "left beside the tar: $(runs "$1")"
    grep -Eq '^1 point, [0-9]+ packets, [0-9]+ dropped' "$SAID" || fail "no sums"
    local written dropped
    read -r written dropped < <(sed -n 's/^1 point, \([0-9]*\) packets, \([0-9]*\) dropped.*/\1 \2/p' "$SAID")
    ((written + dropped == 3150)) || fail "$written written and $dropped dropped of 3150"
    clean "$1"
    echo "ok: $1: a server that was away for a while: $written written, $dropped dropped of 3150"
}

stays_away() {
    record "$1"
    ip link set lo down
    send 3000
    until_ 40 "a status that says so" silent
    local began=$SECONDS
    kill -INT "$PID"
    sleep 2
    kill -INT "$PID"
    ended 1
    local took=$((SECONDS - began)) kib
    ((took <= 45)) || fail "the end took $took s"
    grep -q "netcap seal $RUN" "$SAID" || fail "not said how to go on"
    kib=$(awk '/MemAvailable/ { print $2 }' /proc/meminfo)
    ip link set lo up
    until_ 60 "the server" timeout 5 ls "$1"
    "$NETCAP" seal "$RUN" >"$SAID" 2>&1 || fail "not sealed"
    [[ $(runs "$1") == "$RUN.tar" ]] || fail "left beside the tar: $(runs "$1")"
    local written
    written=$(sed -n 's/^1 point, \([0-9]*\) packets.*/\1/p' "$SAID")
    ((written >= 50)) || fail "$written packets of the first 50"
    clean "$1"
    echo "ok: $1: a server that stays away: ended after $took s, $written packets sealed later, $((kib / 1024)) MiB were free"
}

serve
network
echo "Linux $(uname -r), NFS 4.2 and 3"
for place in /mnt/plain4 /mnt/plain3; do
    plain "$place"
    held "$place"
done
for place in /mnt/root /mnt/sticky /mnt/nobody; do squashed "$place"; done
comes_back /mnt/plain4
stays_away /mnt/plain4
stays_away /mnt/plain3
