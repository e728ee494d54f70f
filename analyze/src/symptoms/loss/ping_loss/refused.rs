//! Somebody on the way says why the pings do not arrive: a router without a route, a firewall, a link too small.

use std::net::IpAddr;

use super::count::PingPair;
use crate::engine::Failure;
use crate::finding::Evidence;
use crate::tables::journeys::Event;
use crate::tables::runs::Sight;
use crate::text::Text;
use crate::view::View;

/// Who said what.
#[derive(Debug)]
pub(super) struct Refusal {
    who: IpAddr,
    why: Failure,
    first: Event,
}

impl Refusal {
    /// What was said of the lost pings of a pair, first of all.
    pub(super) fn of(view: &View<'_>, pair: &PingPair) -> Option<Self> {
        let (first, why) = *pair.refused.first()?;
        let who = *view.tables.journeys.refusers.get(&(pair.src, pair.dst))?;
        Some(Self { who, why, first })
    }

    fn why(&self) -> Text {
        Text::new(match self.why {
            Failure::NoRoute => "ping-loss.why.no-route",
            Failure::NoHost => "ping-loss.why.no-host",
            Failure::Prohibited => "ping-loss.why.prohibited",
            Failure::TooBig => "ping-loss.why.too-big",
            Failure::Expired | Failure::Other => "ping-loss.why.other",
        })
    }

    /// The end of the claim.
    pub(super) fn words(&self, pair: &PingPair) -> Text {
        let all = pair.refused.len() == pair.lost.len();
        Text::new(if all { "ping-loss.refused" } else { "ping-loss.refused-some" })
            .with("who", self.who)
            .with("count", pair.refused.len())
            .with_text("why", self.why())
    }

    pub(super) fn evidence(&self, view: &View<'_>) -> Evidence {
        let what = Text::new("ping-loss.evidence.refused").with("who", self.who).with_text("why", self.why());
        view.frame(Sight { at: self.first.at, frame: self.first.frame }, self.first.point, what)
    }

    /// What to do, where that is known by now.
    pub(super) fn remedy(&self, pair: &PingPair) -> Option<Text> {
        let key = match self.why {
            Failure::NoRoute => "ping-loss.remedy.refused-no-route",
            Failure::NoHost => "ping-loss.remedy.refused-no-host",
            Failure::Prohibited => "ping-loss.remedy.refused-prohibited",
            Failure::TooBig => "ping-loss.remedy.refused-too-big",
            Failure::Expired | Failure::Other => return None,
        };
        Some(Text::new(key).with("who", self.who).with("src", pair.src).with("dst", pair.dst))
    }
}
