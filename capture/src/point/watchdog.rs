//! The watchdog of a point: the interface counts packets, and nothing arrives here.
//!
//! Without a filter that is a fault (traffic that bypasses the packet sockets: hardware offload, XDP, DPDK beside the
//! kernel); with one it may be what the user meant, so it is only mentioned, once, when nothing has ever matched.

/// Milliseconds of deafness before it is reported.
pub(crate) const PATIENCE_MS: u64 = 10_000;

/// What is worth reporting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Alarm {
    /// No filter, packets on the interface, none here.
    Deaf {
        /// For how long, in milliseconds.
        ms: u64,
        /// Packets the interface counted meanwhile.
        packets: u64,
    },
    /// It hears again.
    HeardAgain {
        /// How long it was deaf, in milliseconds.
        ms: u64,
        /// Packets the interface counted meanwhile.
        packets: u64,
    },
    /// Nothing has matched the filter so far.
    NoMatch {
        /// For how long, in milliseconds.
        ms: u64,
        /// Packets the interface counted meanwhile.
        packets: u64,
    },
}

/// Watches one point.
#[derive(Debug, Default)]
pub(crate) struct Watchdog {
    filtered: bool,
    ms: u64,
    packets: u64,
    /// Something has arrived at some time.
    heard: bool,
    reported: bool,
}

impl Watchdog {
    /// For a point with or without a filter.
    pub(crate) fn new(filtered: bool) -> Self {
        Self { filtered, ..Self::default() }
    }

    /// One span: its length, what the interface counted and what arrived past the filter.
    pub(crate) fn span(&mut self, ms: u64, crossed: u64, received: u64) -> Option<Alarm> {
        if received > 0 {
            let again = self.reported && !self.filtered;
            let alarm = again.then_some(Alarm::HeardAgain { ms: self.ms, packets: self.packets });
            *self = Self { filtered: self.filtered, heard: true, ..Self::default() };
            return alarm;
        }
        // Silence on the interface itself is no sign of deafness: it only counts from the first packet on.
        if crossed == 0 && self.packets == 0 {
            return None;
        }
        self.ms = self.ms.saturating_add(ms);
        self.packets = self.packets.saturating_add(crossed);
        if self.reported || self.ms < PATIENCE_MS || (self.filtered && self.heard) {
            return None;
        }
        self.reported = true;
        let (ms, packets) = (self.ms, self.packets);
        Some(if self.filtered { Alarm::NoMatch { ms, packets } } else { Alarm::Deaf { ms, packets } })
    }

    /// The point is deaf at this moment and that has been reported.
    pub(crate) fn deaf(&self) -> bool {
        self.reported && !self.filtered
    }

    /// The interface went away: what comes is another one.
    pub(crate) fn reset(&mut self) {
        *self = Self { filtered: self.filtered, heard: self.heard, ..Self::default() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deafness_is_reported_once_after_ten_seconds_and_its_end_too() {
        let mut watchdog = Watchdog::new(false);
        for _ in 0..100 {
            assert_eq!(watchdog.span(1000, 0, 0), None, "a silent interface is not a deaf point");
        }
        for _ in 0..9 {
            assert_eq!(watchdog.span(1000, 5, 0), None);
        }
        assert_eq!(watchdog.span(1000, 5, 0), Some(Alarm::Deaf { ms: 10_000, packets: 50 }));
        assert!(watchdog.deaf());
        assert_eq!(watchdog.span(1000, 5, 0), None);
        assert_eq!(watchdog.span(1000, 5, 1), Some(Alarm::HeardAgain { ms: 11_000, packets: 55 }));
        assert!(!watchdog.deaf());
        assert_eq!(watchdog.span(9000, 5, 0), None);
        assert_eq!(watchdog.span(1000, 5, 3), None, "not long enough");
    }

    #[test]
    fn a_filter_that_never_matched_is_mentioned_once_and_one_that_did_is_not() {
        let mut watchdog = Watchdog::new(true);
        assert_eq!(watchdog.span(PATIENCE_MS, 7, 0), Some(Alarm::NoMatch { ms: PATIENCE_MS, packets: 7 }));
        assert_eq!(watchdog.span(PATIENCE_MS, 7, 0), None);
        assert!(!watchdog.deaf());
        assert_eq!(watchdog.span(1000, 7, 1), None);
        assert_eq!(watchdog.span(PATIENCE_MS, 7, 0), None);
    }
}
