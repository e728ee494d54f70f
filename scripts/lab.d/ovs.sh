# shellcheck shell=bash disable=SC2034,SC2153 # the parts share variables
# Open vSwitch: one ovsdb-server and one ovs-vswitchd per node, userspace datapath.

ovs_start() {
    local node=$1
    ovsdb-tool create "$STATE/$node/ovs-db/conf.db" "$SCHEMA"
    daemon "$node" ovsdb-server /var/lib/openvswitch/conf.db --remote=punix:/run/openvswitch/db.sock \
        --no-chdir --detach --pidfile --log-file -vconsole:emer -vsyslog:off
    inside "$node" ovs-vsctl --no-wait -- init -- set Open_vSwitch . \
        external-ids:hostname="$node" external-ids:system-id="$(cat /proc/sys/kernel/random/uuid)" \
        ovs-version="$(ovs-vsctl -V | awk 'NR == 1 { print $NF }')" system-type=netcap-lab \
        other_config:n-handler-threads=1 other_config:n-revalidator-threads=1
    # Never the kernel's datapath nor the machine's routes: several run side by side.
    daemon "$node" ovs-vswitchd unix:/run/openvswitch/db.sock --disable-system --disable-system-route \
        --no-chdir --detach --pidfile --log-file -vconsole:emer -vsyslog:off
}

# The words of an `ovs-vsctl` transaction that adds a VM's port to its vswitch.
vm_port_words() {
    local vm=$1 tap
    tap=$(vm_tap "$vm")
    printf '%s\n' -- add-port vswitch0 "$tap"
    ((VLAN == 0)) || printf '%s\n' "tag=$VLAN"
    printf '%s\n' -- set Interface "$tap" "ofport_request=$((${tap#vnet} + 11))" \
        "external_ids:attached-mac=\"$(vm_mac "$vm")\"" "external_ids:iface-id=$(iface_uuid "$vm")" \
        "external_ids:vm-id=$(vm_uuid "$vm")" "external_ids:vm-name=$vm" external_ids:iface-status=active
}

# The bridge takes eth2's MAC, the lowest of its ports', as in the field.
ovs_bridge() {
    local host=$1 words vm
    mapfile -t words < <(
        printf '%s\n' add-br vswitch0 -- set Bridge vswitch0 datapath_type=netdev fail_mode=standalone \
            -- add-bond vswitch0 vswitch0_bond eth2 eth3 bond_mode=active-backup other_config:bond-primary=eth3 \
            -- set Interface eth2 ofport_request=1 -- set Interface eth3 ofport_request=2
        for vm in $(vm_nodes); do
            [[ $(vm_host "$vm") != "$host" ]] || vm_port_words "$vm"
        done
    )
    inside "$host" ovs-vsctl --timeout=60 "${words[@]}"
}

# The host's vswitch with its uplinks and taps: ovs_vswitch HOST TAP...
ovs_vswitch() {
    local host=$1 dev
    shift
    keep_from_stack "$host" eth2 eth3 "$@"
    for dev in eth2 eth3 "$@"; do ip -n "$(ns "$host")" link set "$dev" up; done
    ovs_start "$host"
    ovs_bridge "$host"
    plug "$host" vswitch0 "$(host_ip "$host")/24" "$GW_IP"
}

# The tagged legs of gateway and PC. The kernel's bridge may be built without
# VLAN filtering, so a small Open vSwitch beside br0 takes the tag off.
ovs_access_switch() {
    ip -n "$(ns switch)" link add trunk type veth peer name trunk0
    switch_port trunk
    ip -n "$(ns switch)" link set trunk0 up
    ip -n "$(ns switch)" link set gw-v up
    ip -n "$(ns switch)" link set pc-v up
    keep_from_stack switch trunk0 gw-v pc-v
    ovs_start switch
    inside switch ovs-vsctl --timeout=60 add-br access0 -- set Bridge access0 datapath_type=netdev \
        -- add-port access0 trunk0 trunks="$VLAN" vlan_mode=trunk \
        -- add-port access0 gw-v tag="$VLAN" -- add-port access0 pc-v tag="$VLAN"
}

ofport() { inside "$1" ovs-vsctl --timeout=60 get Interface "$2" ofport; }
flows_add() { inside "$1" ovs-ofctl -O OpenFlow13 add-flows vswitch0 -; }
flows_del() { inside "$1" ovs-ofctl -O OpenFlow13 del-flows vswitch0 "$2"; }

active_member() {
    inside "$1" ovs-appctl bond/show vswitch0_bond |
        awk '/^(member|slave) / { m = $2 } /active (member|slave)$/ { sub(":", "", m); print m }'
}
