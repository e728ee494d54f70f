use super::*;

#[test]
fn a_cut_filter_keeps_less_and_matches_the_same() {
    let ret = |k| Instruction { code: RETURN, jt: 0, jf: 0, k };
    let jump = Instruction { code: 0x15, jt: 0, jf: 1, k: 0x0806 };
    assert_eq!(cut(&[jump, ret(262_144), ret(0), ret(40)], 128), [jump, ret(128), ret(0), ret(40)]);
}

#[test]
fn steps_wait_for_the_ledger_in_order_and_bounded() {
    let shedding = Shedding::default();
    for n in 0..100 {
        shedding.took(
            Nanos(n),
            if n % 2 == 0 { ShedLevel::Fast } else { ShedLevel::Whole },
            ShedReason::Ring,
        );
    }
    let steps = shedding.take_steps();
    assert_eq!(steps.len(), WAITING_MAX);
    assert_eq!(
        (steps[1].was, steps[1].step, shedding.now()),
        (ShedLevel::Fast, ShedLevel::Whole, ShedLevel::Whole)
    );
    assert!(shedding.take_steps().is_empty());
}
