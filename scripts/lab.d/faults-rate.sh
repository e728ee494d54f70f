# shellcheck shell=bash disable=SC2034,SC2153 # the parts share variables
# Faults of rates: queues and meters.

shape_set() { # shape_set RATE LIMIT
    local member
    for member in eth2 eth3; do
        inside "$HOST" tc qdisc replace dev "$member" root tbf rate "$1" burst 4kb limit "$2"
    done
}

# The loss of a burst of large packets to the gateway, in percent.
burst_loss() { inside "$VICTIM" ping -q -n -c 80 -i 0.002 -s 1000 -W 1 "$(vm_gw)" 2>/dev/null | sed -n 's/.* \([0-9]*\)[.0-9]*% packet loss.*/\1/p'; }
burst_loses() { LOST=$(burst_loss) && ((${LOST:-0} > 10)); }
burst_passes() { LOST=$(burst_loss) && [[ $LOST == 0 ]]; }

shape_prepare() { need_vm; }
shape_on() { shape_set 400kbit 4kb; }
shape_broken() {
    until_true 5 burst_loses || { WHY="a burst of $VICTIM loses ${LOST:-nothing} %" && return 1; }
    reaches "$VICTIM" "$(vm_gw)" || { WHY="single packets do not pass either" && return 1; }
    WHY="eth2 and eth3 of $HOST send 400 kbit/s and queue 4 kB: a burst of $VICTIM loses $LOST %, single packets pass"
}
shape_off() {
    local member
    for member in eth2 eth3; do inside "$HOST" tc qdisc del dev "$member" root 2>/dev/null || true; done
}
rate_repaired() {
    until_true 5 burst_passes && WHY="bursts of $VICTIM pass" && return
    WHY="a burst of $VICTIM loses ${LOST:-all} %"
    return 1
}
shape_repaired() { rate_repaired; }

# The healthy twin: the same queue, at a rate that is enough.
shape_wide_prepare() { need_vm; }
shape_wide_on() { shape_set 200mbit 400kb; }
shape_wide_broken() { rate_repaired && WHY="eth2 and eth3 of $HOST send at most 200 Mbit/s, and $WHY"; }
shape_wide_off() { shape_off; }
shape_wide_repaired() { rate_repaired; }

METER_COOKIE=0x50

meter_set() { # meter_set PACKETS-A-SECOND
    inside "$HOST" ovs-ofctl -O OpenFlow13 add-meter vswitch0 "meter=1,pktps,burst,band=type=drop,rate=$1,burst_size=$1"
    printf 'cookie=%s,table=0,priority=60,in_port=%s actions=meter:1,NORMAL\n' "$METER_COOKIE" "$(ofport "$HOST" "$TAP")" |
        flows_add "$HOST"
}

meter_prepare() { need_vm; }
meter_on() { meter_set 10; }
meter_broken() {
    until_true 5 burst_loses || { WHY="a burst of $VICTIM loses ${LOST:-nothing} %" && return 1; }
    sleep 1.5
    reaches "$VICTIM" "$(vm_gw)" || { WHY="single packets do not pass either" && return 1; }
    WHY="meter 1 of vswitch0 lets $TAP send 10 packets a second: a burst of $VICTIM loses $LOST %, single packets pass"
}
meter_off() {
    flows_del "$HOST" "cookie=$METER_COOKIE/-1"
    inside "$HOST" ovs-ofctl -O OpenFlow13 del-meters vswitch0
}
meter_repaired() { rate_repaired; }

meter_wide_prepare() { need_vm; }
meter_wide_on() { meter_set 20000; }
meter_wide_broken() { rate_repaired && WHY="meter 1 of vswitch0 lets $TAP send 20000 packets a second, and $WHY"; }
meter_wide_off() { meter_off; }
meter_wide_repaired() { rate_repaired; }
