//! Somebody on the way says why the pings do not arrive: a router without a route, a firewall, a link too small.

use std::net::IpAddr;

use super::count::Pair;
use crate::engine::Failure;
use crate::finding::Evidence;
use crate::tables::journeys::Event;
use crate::tables::runs::Sight;
use crate::text::Text;
use crate::view::View;

/// Who said what.
#[derive(Debug)]
pub(super) struct Told {
    who: IpAddr,
    why: Failure,
    first: Event,
}

impl Told {
    /// What was said of the lost pings of a pair, first of all.
    pub(super) fn of(view: &View<'_>, pair: &Pair) -> Option<Self> {
        let (first, why) = *pair.refused.first()?;
        let who = *view.tables.journeys.tellers.get(&(pair.src, pair.dst))?;
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
    pub(super) fn words(&self, pair: &Pair) -> Text {
        let all = pair.refused.len() == pair.lost.len();
        Text::new(if all { "ping-loss.told" } else { "ping-loss.told-some" })
            .with("who", self.who)
            .with("count", pair.refused.len())
            .with_text("why", self.why())
    }

    pub(super) fn evidence(&self, view: &View<'_>) -> Evidence {
        let what = Text::new("ping-loss.evidence.told").with("who", self.who).with_text("why", self.why());
        view.frame(Sight { at: self.first.at, frame: self.first.frame }, self.first.point, what)
    }

    /// What to do, where that is known by now.
    pub(super) fn remedy(&self, pair: &Pair) -> Option<Text> {
        let key = match self.why {
            Failure::NoRoute => "ping-loss.remedy.told-no-route",
            Failure::NoHost => "ping-loss.remedy.told-no-host",
            Failure::Prohibited => "ping-loss.remedy.told-prohibited",
            Failure::TooBig => "ping-loss.remedy.told-too-big",
            Failure::Expired | Failure::Other => return None,
        };
        Some(Text::new(key).with("who", self.who).with("src", pair.src).with("dst", pair.dst))
    }
}
