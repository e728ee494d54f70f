# shellcheck shell=bash disable=SC2034,SC2153 # the parts share variables
# A libvirtd per host that knows the VMs as defined domains, which is enough for
# `virsh dumpxml` and `virsh nwfilter-dumpxml`; the MAC joins domain and tap.

libvirt_start() {
    local host=$1 vm
    # Its own directories under /etc, /run and /var are empty at first: no default
    # network is started, and no polkit is asked.
    printf '%s\n' 'auth_unix_rw = "none"' 'auth_unix_ro = "none"' 'unix_sock_group = "root"' \
        'log_outputs = "3:file:/var/log/libvirt/libvirtd.log"' >"$STATE/$host/libvirt/etc/libvirtd.conf"
    # As root, for else the probe of QEMU cannot open /dev/kvm, and is repeated.
    printf '%s\n' 'user = "root"' 'group = "root"' 'security_driver = "none"' 'remember_owner = 0' \
        >"$STATE/$host/libvirt/etc/qemu.conf"
    daemon "$host" libvirtd --daemon --pid-file /run/libvirt/libvirtd.pid
    until_true 10 inside "$host" virsh -q list >/dev/null 2>&1 ||
        die "libvirtd of $host does not answer: $(tail -3 "$STATE/$host/libvirt/log/libvirtd.log")"
    for vm in $(vm_nodes); do
        [[ $(vm_host "$vm") != "$host" ]] || libvirt_define "$vm"
    done
}

# libvirt_define VM [FILTER]: define the domain, or define it anew with a filter.
libvirt_define() {
    local vm=$1 host xml
    host=$(vm_host "$vm")
    xml=$STATE/$host/$vm.xml
    libvirt_domain "$vm" "${2:-}" >"$xml"
    inside "$host" virsh -q define "$xml" >/dev/null
    rm -f "$xml"
}

libvirt_domain() {
    local vm=$1 filter=$2 type=qemu
    [[ ! -w /dev/kvm ]] || type=kvm
    cat <<EOF
<domain type='$type'>
  <name>$vm</name>
  <uuid>$(vm_uuid "$vm")</uuid>
  <memory unit='MiB'>64</memory>
  <vcpu>1</vcpu>
  <os><type arch='x86_64' machine='pc'>hvm</type></os>
  <devices>
    <emulator>$(command -v qemu-system-x86_64)</emulator>
    <interface type='bridge'>
      <mac address='$(vm_mac "$vm")'/>
      <source bridge='vswitch0'/>
      $( ((VLAN == 0)) || echo "<vlan><tag id='$VLAN'/></vlan>")
      <virtualport type='openvswitch'><parameters interfaceid='$(iface_uuid "$vm")'/></virtualport>
      <target dev='$(vm_tap "$vm")'/>
      <model type='virtio'/>
      $([[ -z $filter ]] || echo "<filterref filter='$filter'/>")
    </interface>
    <graphics type='vnc' port='$((5899 + ${vm#vm}))'/>
  </devices>
</domain>
EOF
}
