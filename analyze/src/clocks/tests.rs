use proptest::prelude::*;

use super::*;

const START: i64 = 1_795_219_200_000_000_000;

/// What B's clock shows when A's shows `a`: ahead by an offset that grows by `ppm`, and by `step_ns` from `step_at` on.
#[derive(Debug, Clone, Copy)]
struct Truth {
    offset_ns: i64,
    ppm: f64,
    step: Option<(i64, i64)>,
}

impl Truth {
    fn ahead(self, a: i64) -> i64 {
        let drift = ((a - START) as f64 * self.ppm / 1e6).round();
        let step = self.step.filter(|(at, _)| a >= *at).map_or(0, |(_, ns)| ns);
        self.offset_ns + rounded(drift) + step
    }

    /// A packet that leaves at a time of A's clock and takes `delay`.
    fn crossing(self, leaves: i64, delay: i64, way: Way) -> Crossing {
        let arrives = leaves + delay;
        let (a, b) = match way {
            Way::AtoB => (leaves, arrives + self.ahead(arrives)),
            Way::BtoA => (arrives, leaves + self.ahead(leaves)),
        };
        Crossing { a: Nanos(a), b: Nanos(b), way }
    }
}

/// A packet each way every `every` nanoseconds; delays from a list, used in turn.
fn talk(truth: Truth, count: i64, every: i64, least: (i64, i64), extra: &[i64]) -> Vec<Crossing> {
    let mut waits = extra.iter().cycle().copied();
    let mut out = Vec::new();
    for n in 0..count {
        let at = START + n * every;
        out.push(truth.crossing(at, least.0 + waits.next().unwrap_or(0), Way::AtoB));
        out.push(truth.crossing(at + every / 3, least.1 + waits.next().unwrap_or(0), Way::BtoA));
    }
    out
}

fn known(clocks: ClockRelation) -> Vec<Stretch> {
    match clocks {
        ClockRelation::Known(stretches) => stretches,
        other => panic!("{other:?}"),
    }
}

proptest! {
    /// Whatever the offset, the drift and the delays are, the truth is within what is stated, at every time of the stretch.
    #[test]
    fn the_truth_is_within_the_bound(
        offset_ns in -10_000_000_000_i64..10_000_000_000,
        ppm in -400.0_f64..400.0,
        count in 4_i64..200,
        every in 10_000_000_i64..3_000_000_000,
        least in (1_000_i64..20_000_000, 1_000_i64..20_000_000),
        extra in proptest::collection::vec(0_i64..30_000_000, 1..40),
    ) {
        let truth = Truth { offset_ns, ppm, step: None };
        let crossings = talk(truth, count, every, least, &extra);
        let clocks = compare(&crossings);
        prop_assume!(clocks != ClockRelation::TooFew);
        let stretches = known(clocks);
        prop_assert_eq!(stretches.len(), 1);
        let stretch = &stretches[0];
        for part in 0..=4 {
            let at = Nanos(stretch.from.0 + (stretch.to.0 - stretch.from.0) / 4 * part);
            let (low, high) = stretch.ahead_ns(at);
            let real = truth.ahead(at.0);
            prop_assert!(low <= real + 1 && real <= high + 1, "{} not in {}..{}", real, low, high);
        }
        let (low, high) = stretch.drift_ppm();
        prop_assert!(low <= ppm + 1e-3 && ppm <= high + 1e-3, "{} not in {}..{}", ppm, low, high);
        // No delay is stated to be longer than it can have been, or shorter.
        for crossing in &crossings {
            let (_, most) = stretch.delay_ns(crossing);
            prop_assert!(most >= least.0.min(least.1) - 1);
        }
    }

    /// The bound is no wider than the least delays make it, once there are packets of least delay all the time.
    #[test]
    fn the_bound_is_half_the_least_delays(
        offset_ns in -10_000_000_000_i64..10_000_000_000,
        ppm in -100.0_f64..100.0,
        least in (1_000_i64..5_000_000, 1_000_i64..5_000_000),
    ) {
        let truth = Truth { offset_ns, ppm, step: None };
        let stretch = &known(compare(&talk(truth, 300, 100_000_000, least, &[0])))[0];
        let (offset, bound) = stretch.offset_ns();
        let ideal = i64::midpoint(least.0, least.1);
        prop_assert!(bound <= ideal + ideal / 50 + 10, "{} against {}", bound, ideal);
        prop_assert!((offset - truth.ahead(stretch.middle().0)).abs() <= bound + 1);
    }

    /// A step that is larger than the least round trip is found, and both sides keep their bound.
    #[test]
    fn a_step_parts_the_time(
        step_ns in prop_oneof![-5_000_000_000_i64..-20_000_000, 20_000_000_i64..5_000_000_000],
        least in (10_000_i64..5_000_000, 10_000_i64..5_000_000),
        extra in proptest::collection::vec(0_i64..1_000_000, 1..20),
    ) {
        let step_at = START + 30_050_000_000;
        let truth = Truth { offset_ns: 7_000_000, ppm: 20.0, step: Some((step_at, step_ns)) };
        let stretches = known(compare(&talk(truth, 600, 100_000_000, least, &extra)));
        prop_assert_eq!(stretches.len(), 2);
        for stretch in &stretches {
            let (low, high) = stretch.ahead_ns(stretch.middle());
            let real = truth.ahead(stretch.middle().0);
            prop_assert!(low <= real + 1 && real <= high + 1, "{} not in {}..{}", real, low, high);
        }
    }

    #[test]
    fn any_stamps_are_survived(raw in proptest::collection::vec((any::<i64>(), any::<i64>(), any::<bool>()), 0..60)) {
        let crossings: Vec<_> = raw
            .into_iter()
            .map(|(a, b, way)| Crossing { a: Nanos(a / 4), b: Nanos(b / 4), way: if way { Way::AtoB } else { Way::BtoA } })
            .collect();
        if let ClockRelation::Known(stretches) = compare(&crossings) {
            for stretch in stretches {
                let _ = (stretch.offset_ns(), stretch.drift_ppm(), stretch.delay_ns(&crossings[0]));
            }
        }
    }
}

#[test]
fn one_direction_bounds_one_side() {
    let truth = Truth { offset_ns: 5_000_000, ppm: 0.0, step: None };
    let mut crossings = talk(truth, 20, 100_000_000, (300_000, 400_000), &[0, 9_000]);
    crossings.retain(|c| c.way == Way::AtoB);
    let ClockRelation::OneSided { way: Way::AtoB, ahead_ns, packets: 20 } = compare(&crossings) else {
        panic!()
    };
    assert_eq!(ahead_ns, 5_300_000);
    let mut back = talk(truth, 20, 100_000_000, (300_000, 400_000), &[0]);
    back.retain(|c| c.way == Way::BtoA);
    let ClockRelation::OneSided { way: Way::BtoA, ahead_ns, .. } = compare(&back) else { panic!() };
    assert_eq!(ahead_ns, 4_600_000);
    assert_eq!(compare(&[]), ClockRelation::TooFew);
}

#[test]
fn a_clock_that_jumps_all_the_time_is_not_told() {
    let mut crossings = Vec::new();
    for n in 0..200 {
        let truth = Truth { offset_ns: if n / 10 % 2 == 0 { 0 } else { 900_000_000 }, ppm: 0.0, step: None };
        let at = START + n * 200_000_000;
        crossings.push(truth.crossing(at, 200_000, Way::AtoB));
        crossings.push(truth.crossing(at + 60_000_000, 200_000, Way::BtoA));
    }
    assert_eq!(compare(&crossings), ClockRelation::Unsteady);
}
