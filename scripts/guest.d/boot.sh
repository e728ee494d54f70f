# shellcheck shell=bash
# Boots Debian's own kernel below this machine's programs: for what the kernel here lacks, or has too much of.
#
# guest_boot SCRIPT APPEND MODULE...: runs SCRIPT (below the repository) as root in a guest whose root is this machine's,
# read-only below memory, and gives what it printed; APPEND goes on the kernel's command line. Fails unless SCRIPT ended
# with 0. Kernel and busybox are fetched with apt once, into $GUEST_CACHE.

GUEST_CACHE=${GUEST_CACHE:-$PWD/target/guest}
GUEST_LIMIT=${GUEST_LIMIT:-900}

guest_need() {
    local tool missing=()
    for tool in qemu-system-x86_64 depmod modprobe dpkg gzip; do
        command -v "$tool" >/dev/null || missing+=("$tool")
    done
    ((!${#missing[@]})) || { echo "guest: ${missing[*]} not installed; run scripts/setup" >&2; return 1; }
}

guest_fetch() {
    local kernel package
    [[ ! -f $GUEST_CACHE/complete ]] || return 0
    echo "guest: fetching Debian's kernel and busybox into $GUEST_CACHE" >&2
    rm -rf "$GUEST_CACHE"
    mkdir -p "$GUEST_CACHE/packages"
    kernel=$(apt-cache depends linux-image-amd64 | awk '/Depends: linux-image/ { print $2; exit }')
    [[ -n $kernel ]] || { echo "guest: apt knows no linux-image-amd64; run apt-get update" >&2; return 1; }
    (cd "$GUEST_CACHE/packages" && apt-get download -qq "$kernel" busybox-static >/dev/null 2>"$GUEST_CACHE/apt.log") ||
        { cat "$GUEST_CACHE/apt.log" >&2; return 1; }
    for package in "$GUEST_CACHE"/packages/*.deb; do dpkg -x "$package" "$GUEST_CACHE/root"; done
    depmod -b "$GUEST_CACHE/root" "$(guest_release)"
    rm -r "$GUEST_CACHE/packages"
    : >"$GUEST_CACHE/complete"
}

guest_release() {
    basename "$(find "$GUEST_CACHE/root/lib/modules" -mindepth 1 -maxdepth 1 -type d | head -n 1)"
}

# The first root of the guest: busybox, modules in the order they are loaded, and init.sh.
guest_initrd() { # FILE MODULE...
    local file=$1 tree module path
    shift
    tree=$(mktemp -d "$GUEST_CACHE/initrd.XXXXXX")
    mkdir -p "$tree"/{bin,dev,proc,sys,lower,up,new,modules}
    cp "$GUEST_CACHE/root/bin/busybox" "$tree/bin/"
    install -m 755 scripts/guest.d/init.sh "$tree/init"
    for module in virtio_pci 9p 9pnet_virtio overlay "$@"; do
        # What is built into the kernel is no file.
        modprobe -d "$GUEST_CACHE/root" -S "$(guest_release)" --show-depends "$module" | awk '$1 == "insmod" { print $2 }'
    done | awk '!seen[$0]++' | while read -r path; do
        cp "$path" "$tree/modules/"
        basename "$path"
    done >"$tree/order"
    (cd "$tree" && find . | ./bin/busybox cpio -o -H newc 2>/dev/null | gzip -1) >"$file"
    rm -rf "$tree"
}

guest_boot() {
    local script append=$2 initrd log status=0
    script=$(readlink -f "$1")
    shift 2
    guest_need && guest_fetch || return 1
    initrd=$(mktemp "$GUEST_CACHE/initrd.XXXXXX.gz")
    log=$(mktemp "$GUEST_CACHE/log.XXXXXX")
    guest_initrd "$initrd" "$@"
    # Not KVM: where it is nested it may be there and hang. A host that is busy must not make the kernel give up its timer.
    timeout --foreground "$GUEST_LIMIT" qemu-system-x86_64 -accel tcg -cpu max -m "${GUEST_MEM:-1024}" -smp "${GUEST_SMP:-2}" \
        -nodefaults -no-reboot -display none -serial stdio -kernel "$GUEST_CACHE"/root/boot/vmlinuz-* -initrd "$initrd" \
        -append "console=ttyS0 quiet panic=-1 no_timer_check guest_run=$script $append" \
        -virtfs local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap </dev/null |
        sed -u 's/\r//g' | tee "$log" | sed -u 's/^/  | /' || status=$?
    grep -q '^GUEST-STATUS 0$' "$log" || status=1
    rm -f "$initrd" "$log"
    return "$status"
}
