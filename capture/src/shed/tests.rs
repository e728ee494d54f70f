use super::*;

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
