# shellcheck shell=bash disable=SC2034,SC2153 # the parts share variables
# Faults inside Open vSwitch: rules, connection tracking, ports.

ACL_COOKIE=0x20 OTHER_COOKIE=0x21 FW_COOKIE=0x30
NOBODY=198.51.100.6

acl_flow() { # acl_flow COOKIE ADDRESS
    printf 'cookie=%s,table=0,priority=30004,icmp,in_port=%s,nw_dst=%s actions=drop\n' \
        "$1" "$(ofport "$HOST" "$TAP")" "$2" | flows_add "$HOST"
}

# The filter of the field's example: all is accepted, ICMP to one address is not.
acl_filter() {
    local xml=$STATE/$HOST/acl.xml
    cat >"$xml" <<EOF
<filter name='acl-test' chain='root'>
  <rule action='accept' direction='in' priority='4' statematch='false'><all/></rule>
  <rule action='accept' direction='out' priority='5' statematch='false'><all/></rule>
  <rule action='accept' direction='in' priority='6' statematch='false'><all-ipv6/></rule>
  <rule action='accept' direction='out' priority='7' statematch='false'><all-ipv6/></rule>
  <rule action='drop' direction='$DIRECTION' priority='10' statematch='false'><icmp dstipaddr='$1' dstipmask='32'/></rule>
</filter>
EOF
    inside "$HOST" virsh -q nwfilter-define "$xml" >/dev/null
    rm -f "$xml"
    libvirt_define "$VICTIM" acl-test
}

acl_filter_there() {
    [[ $(inside "$HOST" virsh dumpxml "$VICTIM") == *"filter='acl-test'"* ]] &&
        [[ $(inside "$HOST" virsh nwfilter-dumpxml acl-test) == *"dstipaddr='$(vm_gw)'"* ]]
}

acl_filter_gone() {
    libvirt_define "$VICTIM"
    inside "$HOST" virsh -q nwfilter-undefine acl-test >/dev/null 2>&1 || true
}

acl_drop_prepare() { need_vm; }

acl_drop_on() {
    until_true 5 reaches "$VICTIM" "$(vm_gw)" || { WHY="$VICTIM does not reach the gateway even before" && return 1; }
    acl_flow "$ACL_COOKIE" "$(vm_gw)"
    ((LIBVIRT == 0)) || acl_filter "$(vm_gw)"
}

acl_cut() { ! reaches "$VICTIM" "$(vm_gw)"; }

acl_drop_broken() {
    local other pc
    pc=$(if ((VLAN)); then printf '%s.50' "$(vm_net)"; else printf %s "$PC_IP"; fi)
    until_true 5 acl_cut || { WHY="$VICTIM still reaches the gateway" && return 1; }
    until_true 5 reaches "$VICTIM" "$pc" || { WHY="$VICTIM does not reach the PC either" && return 1; }
    for other in $(vm_nodes); do
        [[ $other == "$VICTIM" ]] || until_true 5 reaches "$other" "$(vm_gw)" || { WHY="$other does not reach the gateway either" && return 1; }
    done
    ((LIBVIRT == 0)) || acl_filter_there || { WHY="the flow drops, but libvirt has no filter acl-test at $VICTIM" && return 1; }
    WHY="$VICTIM ($TAP of $HOST) reaches the PC, but not $(vm_gw) by ICMP; the other VMs do"
}

acl_drop_off() {
    flows_del "$HOST" "cookie=$ACL_COOKIE/-1"
    ((LIBVIRT == 0)) || acl_filter_gone
}

vm_reaches_gw() {
    until_true 5 reaches "$VICTIM" "$(vm_gw)" && WHY="$VICTIM reaches the gateway" && return
    WHY="$VICTIM does not reach the gateway"
    return 1
}

acl_drop_repaired() { vm_reaches_gw; }

ACL_IN_COOKIE=0x302

# Towards the VM, by a second table in which nothing matches, as the private VLANs of a platform do it.
acl_in_prepare() { need_vm; }
acl_in_on() {
    reaches gw "$(vm_ip "$VICTIM")" || { WHY="the gateway does not reach $VICTIM even before" && return 1; }
    {
        say "cookie=$ACL_IN_COOKIE,table=0,priority=70,icmp,dl_dst=$(vm_mac "$VICTIM") actions=resubmit(,1)"
        say "cookie=$ACL_IN_COOKIE,table=1,priority=0 actions=drop"
    } | flows_add "$HOST"
}
acl_in_broken() {
    until_true 5 acl_cut || { WHY="$VICTIM still gets answers of the gateway" && return 1; }
    tcp_opens gw "$(vm_ip "$VICTIM")" || { WHY="TCP to $VICTIM does not open either" && return 1; }
    WHY="ICMP to $VICTIM ends in table 1, which drops; TCP to it opens"
}
acl_in_off() { flows_del "$HOST" "cookie=$ACL_IN_COOKIE/-1"; }
acl_in_repaired() { vm_reaches_gw; }

acl_other_prepare() { need_vm; }
acl_other_on() { acl_flow "$OTHER_COOKIE" "$NOBODY"; }
acl_other_broken() { vm_reaches_gw && WHY="ICMP of $VICTIM to $NOBODY is dropped, and $WHY"; }
acl_other_off() { flows_del "$HOST" "cookie=$OTHER_COOKIE/-1"; }
acl_other_repaired() { vm_reaches_gw; }

# The stateful firewall of one port, as the platform makes it. A packet is looked
# up once: in the zone of the VM that sends it, or, when it comes from outside, in
# that of the VM it goes to. firewall_port TAP MAC ZONE
firewall_port() {
    local port ct='ct(table=5' commit='ct(commit' way
    port=$(ofport "$HOST" "$1")
    (($3 == 0)) || { ct+=",zone=$3" && commit+=",zone=$3"; }
    for way in ip ipv6; do
        say "cookie=$FW_COOKIE,table=0,priority=10,ct_state=-trk,$way,in_port=$port actions=$ct)"
        say "cookie=$FW_COOKIE,table=0,priority=9,ct_state=-trk,$way,dl_dst=$2,in_port=1 actions=set_field:$port->reg1,$ct)"
        say "cookie=$FW_COOKIE,table=0,priority=9,ct_state=-trk,$way,dl_dst=$2,in_port=2 actions=set_field:$port->reg1,$ct)"
    done
    for way in "in_port=$port" "reg1=$port"; do
        firewall_rules "$way" "$commit)"
    done
}

# The white list and what belongs to it, for one way: firewall_rules MATCH COMMIT
firewall_rules() {
    local allowed family
    for allowed in tcp,tp_dst=22 tcp,tp_dst=8080 udp icmp; do
        say "cookie=$FW_COOKIE,table=10,priority=30005,ct_state=+new-est,$allowed,$1 actions=$2,NORMAL"
    done
    for family in ip ipv6; do
        say "cookie=$FW_COOKIE,table=10,priority=30004,ct_state=+est-rel-rpl,$family,$1 actions=$2,NORMAL"
        say "cookie=$FW_COOKIE,table=10,priority=30004,ct_state=+new-est,$family,$1 actions=drop"
        say "cookie=$FW_COOKIE,table=10,priority=80,ct_state=+est+rpl,$family,$1 actions=NORMAL"
        say "cookie=$FW_COOKIE,table=10,priority=80,ct_state=+rel,$family,$1 actions=NORMAL"
        say "cookie=$FW_COOKIE,table=10,priority=70,ct_state=+inv+trk,$family,$1 actions=drop"
    done
}

firewall_on() { # firewall_on ZONE_OF_FIRST ZONE_OF_SECOND
    {
        say "cookie=$FW_COOKIE,table=0,priority=20,icmp6 actions=NORMAL"
        say "cookie=$FW_COOKIE,table=5,priority=0 actions=goto_table:10"
        firewall_port "$(vm_tap "$VM_A")" "$(vm_mac "$VM_A")" "$1"
        firewall_port "$(vm_tap "$VM_B")" "$(vm_mac "$VM_B")" "$2"
    } | flows_add "$HOST"
}

firewall_off() {
    flows_del "$HOST" "cookie=$FW_COOKIE/-1"
    inside "$HOST" ovs-appctl dpctl/flush-conntrack >/dev/null
}

tcp_opens() { [[ $(greeting_of "$1" "$2") == *lab_* ]]; }
tcp_fails() { ! tcp_opens "$@"; }

ct_zone_prepare() {
    ((VMS >= 2)) || die "this fault needs two VMs on a host: run \`lab up --vms 2\`"
    VM_A=$(first_vm "$HOST")
    VM_B=vm$((${VM_A#vm} + 1))
    ZONE=$((VLAN ? VLAN : 188))
}

ct_zone_on() {
    [[ ! -e $STATE/faults/ct-ok.$HOST ]] || die "ct-ok is on at $HOST: switch it off first"
    until_true 6 tcp_opens "$VM_A" "$(vm_ip "$VM_B")" || { WHY="TCP from $VM_A to $VM_B does not open even before" && return 1; }
    firewall_on "$ZONE" 0
}

ct_zone_broken() {
    until_true 6 tcp_fails "$VM_A" "$(vm_ip "$VM_B")" || { WHY="TCP from $VM_A to $VM_B still opens" && return 1; }
    { until_true 6 tcp_opens gw "$(vm_ip "$VM_B")" && until_true 6 tcp_opens "$VM_A" "$(vm_gw)"; } ||
        { WHY="TCP with the gateway does not open either" && return 1; }
    WHY="TCP from $VM_A (zone $ZONE) to $VM_B (zone 0) does not open; with the gateway both talk"
}

ct_zone_off() { firewall_off; }

ct_zone_repaired() {
    until_true 6 tcp_opens "$VM_A" "$(vm_ip "$VM_B")" && WHY="TCP from $VM_A to $VM_B opens" && return
    WHY="TCP from $VM_A to $VM_B does not open"
    return 1
}

ct_ok_prepare() { ct_zone_prepare; }
ct_ok_on() {
    [[ ! -e $STATE/faults/ct-zone.$HOST ]] || die "ct-zone is on at $HOST: switch it off first"
    firewall_on "$ZONE" "$ZONE"
}
ct_ok_broken() { ct_zone_repaired && WHY="a stateful firewall in zone $ZONE at both ports, and $WHY"; }
ct_ok_off() { firewall_off; }
ct_ok_repaired() { ct_zone_repaired; }

unplug_vm_prepare() { need_vm; }
unplug_vm_on() { inside "$HOST" ovs-vsctl --timeout=60 del-port vswitch0 "$TAP"; }
unplug_vm_broken() {
    until_true 5 acl_cut || { WHY="$VICTIM still reaches the gateway" && return 1; }
    WHY="$TAP of $VICTIM is not in vswitch0 of $HOST; $VICTIM reaches nobody"
}
unplug_vm_off() {
    local words
    inside "$HOST" ovs-vsctl --timeout=60 --if-exists del-port vswitch0 "$TAP"
    mapfile -t words < <(vm_port_words "$VICTIM")
    inside "$HOST" ovs-vsctl --timeout=60 "${words[@]}"
}
unplug_vm_repaired() { vm_reaches_gw; }
