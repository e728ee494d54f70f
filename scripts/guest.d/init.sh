#!/bin/busybox sh
# shellcheck shell=sh
# The first process of a guest (boot.sh): makes a root of the host's, runs one script there, and switches off.
set -u
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
while read -r module; do insmod "/modules/$module" || echo "guest: $module is not loaded"; done </order
mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000,ro,cache=loose host /lower
mount -t tmpfs -o size=60% up /up
mkdir /up/upper /up/work
mount -t overlay overlay -o lowerdir=/lower,upperdir=/up/upper,workdir=/up/work /new
mount -t proc proc /new/proc
mount -t sysfs sys /new/sys
mount -t securityfs security /new/sys/kernel/security
mount -t cgroup2 cgroup /new/sys/fs/cgroup
mount -t devtmpfs dev /new/dev
mkdir -p /new/dev/pts /new/dev/shm
mount -t devpts pts /new/dev/pts
for place in run tmp var/tmp dev/shm; do mount -t tmpfs -o mode=1777 "$place" "/new/$place"; done
chmod 755 /new/run
ip link set lo up
script=$(sed 's/.*guest_run=\([^ ]*\).*/\1/' /proc/cmdline)
PATH=/usr/sbin:/usr/bin:/sbin:/bin chroot /new /bin/bash "$script"
echo "GUEST-STATUS $?"
poweroff -f
