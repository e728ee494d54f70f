# shellcheck shell=bash disable=SC2034,SC2153 # the parts share variables
# Switching faults on and off, and making sure of it.
#
# A fault NAME (with _ for -) is four functions: NAME_on and NAME_off act;
# NAME_broken succeeds when what must be broken is; NAME_repaired when all is
# well again. The last two leave in WHY what they saw. NAME_once, where there is
# one, makes happen now what the fault makes happen from time to time.

FAULTS=(ip-conflict lldp-backup acl-drop acl-in ct-zone cable no-member lacp mtu loss shape meter
    unplug-vm port-down vm-off ip-mac-binding same-mac vlan-tag reflect)
TWINS=(lldp-active ct-ok acl-other lacp-fallback shape-wide meter-wide mirror)
# Those that need a lab of another shape: with --vlan, with --bridge.
VLAN_FAULTS=(trunk trunk-ok)
BRIDGE_FAULTS=(nwfilter nft-bridge stp nft-other stp-spare)

cmd_faults() {
    cat <<'EOF'
Faults; each takes --host H (default host1), --check no (it is not made sure of, so no
ping of the lab's own is in a recording), and the options named with it:

  ip-conflict   the PC configures, announces and uses an address the host owns, so the
                gateway's neighbour cache names the PC's MAC    --victim hostN|vmN (host)
  lldp-backup   LLDP every few seconds on the backup member with the bridge's MAC: the
                switch moves the MAC there, the gateway's pings die  --interval SECONDS (2)
                \`lab fault once\` makes three of them die, now
  acl-drop      an OpenFlow rule drops the VM's ICMP to the gateway; with --libvirt also
                nwfilter acl-test in the domain   --victim vmN  --direction out|in (out)
  acl-in        ICMP to the VM is sent to a table that drops                --victim vmN
  ct-zone       stateful firewall, zone 188 (or the VLAN) on the first VM's port and 0 on
                the second's: TCP between them does not open; needs two VMs on the host
  cable         the cable of a member is pulled: no carrier; the bond fails over
                                                    --member eth2|eth3 (the active one)
  no-member     the cables of both members are pulled
  lacp          the bond speaks LACP, the switch does not: no member is enabled
  mtu           1400 octets at both uplinks, or at the VM's port: big packets vanish,
                small ones pass          --victim vmN  --at uplink|vnet (uplink)
  loss          frames from the host are lost on their way to the switch  --percent N (30)
  shape         both uplinks send 400 kbit/s from a short queue: bursts lose  --victim vmN
  meter         an OpenFlow meter lets the VM send 10 packets a second      --victim vmN
  unplug-vm     the VM's port is no longer in the vswitch                   --victim vmN
  port-down     the VM's port is in the vswitch, and down                   --victim vmN
  vm-off        the VM is off: its port and its interface are gone          --victim vmN
  ip-mac-binding  the VM uses a second address that its port is not bound to  --victim vmN
  same-mac      the second VM has the first one's MAC, and both speak; needs two VMs
  vlan-tag      the VM's port has a wrong tag         --victim vmN  --tag N (77)
  reflect       the switch sends broadcasts back, the vswitch learns the VM outside

With `lab up --vlan TAG`:

  trunk         the trunk of the bond leaves the VMs' VLAN out

With `lab up --bridge`; each takes --victim vmN:

  nwfilter      ebtables drops the VM's ICMP, as nwfilter does   --direction out|in (out)
  nft-bridge    nftables drops the VM's ICMP where the bridge forwards
  stp           the VM's port waits a minute for the spanning tree

Healthy twins, which look like a fault and must not be taken for one:

  lldp-active   the same LLDP, but on the active member: the MAC does not move
  ct-ok         the same firewall with one zone on both ports: TCP opens
  acl-other     an ICMP drop for an address nobody uses         --victim vmN
  lacp-fallback the same LACP, but the bond falls back to active-backup
  shape-wide    the same queues, at a rate that is enough       --victim vmN
  meter-wide    the same meter, at a rate that is enough        --victim vmN
  mirror        a mirror of the whole vswitch to a port of its own
  trunk-ok      a trunk that names the VMs' VLAN                (--vlan)
  nft-other     an ICMP drop on the bridge for an address nobody uses      (--bridge)
  stp-spare     a second uplink that the spanning tree blocks              (--bridge)
EOF
}

cmd_fault() {
    local action=${1:-} name=${2:-} fn
    [[ $action == on || $action == off || $action == once ]] ||
        die "usage: lab fault on|off|once NAME [options]; \`lab faults\` lists them"
    [[ " ${FAULTS[*]} ${TWINS[*]} ${VLAN_FAULTS[*]} ${BRIDGE_FAULTS[*]} " == *" $name "* && -n $name ]] ||
        die "no fault '$name'; \`lab faults\` lists them"
    shift 2
    load_config
    [[ $BRIDGE == 0 || " ${BRIDGE_FAULTS[*]} " == *" $name "* ]] ||
        die "$name is a fault of Open vSwitch, and this lab has a Linux bridge"
    parse_fault "$@"
    fn=${name//-/_}
    "fault_$action" "$name" "$fn" "$STATE/faults/$name.$HOST"
}

parse_fault() {
    HOST=host1 VICTIM='' INTERVAL=2 MEMBER='' PERCENT=30 DIRECTION=out AT=uplink TAG=77 CHECK=yes OPTIONS=''
    while (($#)); do
        [[ -n ${2:-} ]] || die "option '$1' wants a value"
        [[ $1 == --host || $1 == --check ]] || OPTIONS+=" $1 $2"
        case $1 in
        --host) HOST=$2 ;;
        --victim) VICTIM=$2 ;;
        --interval) number INTERVAL "$1" "$2" 1 60 ;;
        --percent) number PERCENT "$1" "$2" 1 99 ;;
        --member) MEMBER=$2 ;;
        --direction) DIRECTION=$2 ;;
        --at) AT=$2 ;;
        --check) CHECK=$2 ;;
        --tag) number TAG "$1" "$2" 1 4094 ;;
        *) die "unknown option '$1'; \`lab faults\` names the options" ;;
        esac
        shift 2
    done
    grep -qxF -- "$HOST" < <(host_nodes) || die "no host '$HOST'; there are: $(host_nodes | paste -sd' ')"
    [[ -z $VICTIM ]] || grep -qxF -- "$VICTIM" < <(host_nodes && vm_nodes) ||
        die "no victim '$VICTIM'; there are: $(nodes | grep -E '^(host|vm)' | paste -sd' ')"
    [[ -z $MEMBER || $MEMBER == eth2 || $MEMBER == eth3 ]] || die "--member is eth2 or eth3, not '$MEMBER'"
    [[ $DIRECTION == in || $DIRECTION == out ]] || die "--direction is in or out, not '$DIRECTION'"
    [[ $AT == uplink || $AT == vnet ]] || die "--at is uplink or vnet, not '$AT'"
    [[ $CHECK == yes || $CHECK == no ]] || die "--check is yes or no, not '$CHECK'"
    # A VM that is named says on which host the fault is.
    [[ $VICTIM != vm* ]] || HOST=$(vm_host "$VICTIM")
    [[ $VICTIM != host* ]] || HOST=$VICTIM
}

# The victim, which for most faults must be a VM.
need_vm() {
    [[ -n $VICTIM ]] || VICTIM=$(first_vm "$HOST")
    [[ $VICTIM == vm* ]] || die "this fault needs a VM as --victim, not '$VICTIM'"
    TAP=$(vm_tap "$VICTIM")
}

fault_on() {
    local name=$1 fn=$2 file=$3
    [[ ! -e $file ]] || die "$name is already on at $HOST: $(cat "$file")"
    "${fn}_prepare"
    printf '%s\n' "$name --host $HOST$OPTIONS" >"$file"
    WHY='not made sure of'
    if "${fn}_on" && { [[ $CHECK == no ]] || "${fn}_broken"; }; then
        say "$name is on: $WHY"
        return
    fi
    warn "$name has no effect: $WHY"
    "${fn}_off" || true
    rm -f "$file"
    exit 1
}

# What a fault breaks from time to time is broken once, now, and it is made sure of.
fault_once() {
    local name=$1 fn=$2 file=$3 words
    [[ -e $file ]] || die "$name is not on at $HOST"
    declare -F "${fn}_once" >/dev/null || die "$name breaks what it breaks all the time"
    read -r -a words <"$file"
    parse_fault "${words[@]:1}"
    "${fn}_prepare"
    WHY=''
    "${fn}_once" || die "$name has no effect: $WHY"
    say "$name: $WHY"
}

fault_off() {
    local name=$1 fn=$2 file=$3 check=$CHECK words
    [[ -e $file ]] || { say "$name is not on at $HOST" && return; }
    read -r -a words <"$file"
    parse_fault "${words[@]:1}"
    "${fn}_prepare"
    "${fn}_off"
    WHY='not made sure of'
    [[ $check == no ]] || "${fn}_repaired" || die "$name is off, but the lab is not repaired: $WHY"
    rm -f "$file"
    say "$name is off: $WHY"
}

# reaches FROM ADDRESS [ping options]: does an answer come at all?
reaches() {
    local from=$1 address=$2
    shift 2
    inside "$from" ping -q -n -c 3 -i 0.2 -W 1 "$@" "$address" >/dev/null 2>&1
}

# The part of pings lost, in percent: loss_of FROM ADDRESS COUNT INTERVAL.
loss_of() {
    inside "$1" ping -q -n -c "$3" -i "$4" -W 1 "$2" 2>/dev/null | sed -n 's/.* \([0-9]*\)[.0-9]*% packet loss.*/\1/p'
}

# The owner of an address says so, and all caches and the switch know it again.
announce() { # announce NODE IFACE ADDRESS
    inside "$1" arping -q -U -c 2 -i 0.1 -w 2 -I "$2" "$3" >/dev/null 2>&1 ||
        inside "$1" arping -q -U -c 1 -w 1 -I "$2" "$3" >/dev/null 2>&1 || true
}

host_reachable() {
    until_true 6 reaches gw "$(host_ip "$HOST")" && until_true 6 reaches pc "$(host_ip "$HOST")" &&
        WHY="the gateway reaches $HOST again" && return
    WHY="the gateway or the PC does not reach $HOST"
    return 1
}
