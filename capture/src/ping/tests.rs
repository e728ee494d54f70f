use super::*;

#[test]
fn a_clock_that_is_set_makes_no_loss_and_no_time_before_the_request() {
    let both = |realtime, monotonic_ns| Clock { realtime: Nanos(realtime), monotonic_ns };
    let waiting = Waiting { sent: Nanos(1_000_100), asked: both(1_000_000, 50), kernel: true };
    let now = both(1_500_000, 500_050);
    assert_eq!(waiting.round_trip(Nanos(1_400_100), now), (400_000, true));
    for hour in [3600 * NS_PER_S, -3600 * NS_PER_S] {
        let now = both(1_500_000 + hour, 500_050);
        assert_eq!(waiting.round_trip(Nanos(1_400_100 + hour), now), (500_000, false));
    }
}
