# shellcheck shell=bash disable=SC2034,SC2153 # the parts share variables
# Faults of VLANs: what a port's tag or trunk does not carry.

vlan_tag_prepare() { need_vm; }

vlan_tag_on() {
    ((TAG != VLAN)) || die "$VICTIM has the tag $TAG already: name another with --tag"
    reaches "$VICTIM" "$(vm_gw)" || { WHY="$VICTIM does not reach the gateway even before" && return 1; }
    inside "$HOST" ovs-vsctl --timeout=60 set Port "$TAP" tag="$TAG"
}

vlan_tag_broken() {
    until_true 5 acl_cut || { WHY="$VICTIM still reaches the gateway" && return 1; }
    WHY="$TAP of $VICTIM has tag $TAG, not $( ((VLAN)) && echo "$VLAN" || echo none); $VICTIM reaches nobody"
}

vlan_tag_off() {
    if ((VLAN)); then
        inside "$HOST" ovs-vsctl --timeout=60 set Port "$TAP" tag="$VLAN"
    else
        inside "$HOST" ovs-vsctl --timeout=60 clear Port "$TAP" tag
    fi
}
vlan_tag_repaired() { vm_reaches_gw; }

trunk_prepare() {
    ((VLAN)) || die "this fault needs VMs in a VLAN: run \`lab up --vlan TAG\`"
    ADDRESS=$(host_ip "$HOST")
    need_vm
}

# 0 is the untagged traffic of the host itself.
trunk_set() { inside "$HOST" ovs-vsctl --timeout=60 set Port vswitch0_bond "trunks=$1"; }

trunk_on() {
    reaches "$VICTIM" "$(vm_gw)" || { WHY="$VICTIM does not reach the gateway even before" && return 1; }
    trunk_set "0,$((VLAN == 100 ? 101 : 100))"
}

trunk_broken() {
    until_true 5 acl_cut || { WHY="$VICTIM still reaches the gateway" && return 1; }
    reaches gw "$ADDRESS" || { WHY="the gateway does not reach $HOST either" && return 1; }
    WHY="the trunk of vswitch0_bond leaves out VLAN $VLAN; no VM of $HOST reaches the gateway, $HOST does"
}

trunk_off() { inside "$HOST" ovs-vsctl --timeout=60 clear Port vswitch0_bond trunks; }
trunk_repaired() { vm_reaches_gw; }

# The healthy twin: a trunk that names its VLANs, the VMs' among them.
trunk_ok_prepare() { trunk_prepare; }
trunk_ok_on() { trunk_set "0,100,$VLAN"; }
trunk_ok_broken() { vm_reaches_gw && WHY="the trunk of vswitch0_bond names VLAN $VLAN, and $WHY"; }
trunk_ok_off() { trunk_off; }
trunk_ok_repaired() { vm_reaches_gw; }
