//! The bounds of the explainer that may change what a reader concludes when they are reached.

use netcap_bundle::input::Unread;

macro_rules! caps {
    ($($(#[$doc:meta])* $name:ident: $phrase:literal,)*) => {
        /// A bound that was reached, in the order of the report.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub(crate) enum Cap {
            $($(#[$doc])* $name,)*
        }

        impl Cap {
            /// In the order of the report.
            #[cfg(test)]
            pub(crate) const ALL: &[Self] = &[$(Self::$name),*];

            /// Key of what is said, with the `count` of what was given up.
            pub(crate) fn phrase(self) -> &'static str {
                match self {
                    $(Self::$name => $phrase,)*
                }
            }
        }
    };
}

caps! {
    /// Folders of the input that lie too deep.
    Folders: "given-up.folders",
    /// Ledgers of further points.
    Ledgers: "given-up.ledgers",
    /// The rest of a listing of ports.
    Listing: "given-up.listing",
    /// Numbers of pings that a log leaves out.
    PingGaps: "given-up.ping-gaps",
    /// Runs in a directory.
    Runs: "given-up.runs",
    /// Addresses that are claimed.
    Addresses: "given-up.addresses",
    /// Addresses that are asked for.
    Questions: "given-up.questions",
    /// Questions of names.
    Lookups: "given-up.lookups",
    /// Owners of addresses that are compared with those of other inputs.
    Books: "given-up.books",
    /// Claims of one address.
    Claims: "given-up.claims",
    /// Times of a claim, joined.
    CoarseClaims: "given-up.coarse",
    /// Advertisements of masters.
    Elections: "given-up.elections",
    /// MACs at members of bonds.
    BondMacs: "given-up.bond-macs",
    /// Times of a MAC at a member, joined.
    CoarseMacs: "given-up.coarse",
    /// Addresses that speak from machines' ports.
    Sources: "given-up.sources",
    /// Places of a claim.
    Places: "given-up.places",
    /// Requests and replies.
    Journeys: "given-up.journeys",
    /// Requests without an example of their pair.
    Examples: "given-up.examples",
    /// Packets without an example of their flow.
    Unnamed: "given-up.unnamed",
    /// Sightings of followed packets.
    Hops: "given-up.hops",
    /// Packets that are not followed: one in so many is.
    Thinned: "given-up.thinned",
    /// Translated connections.
    Translations: "given-up.translations",
    /// Losses of the capture, joined.
    Losses: "given-up.losses",
    /// Packets at further points.
    Points: "given-up.points",
    /// LLDP frames of a MAC at a member.
    Lldp: "given-up.lldp",
    /// Interfaces of a file.
    Crowd: "given-up.crowd",
    /// Filters that are too long to be judged.
    Filters: "given-up.filters",
    /// States of bonds.
    BondStates: "given-up.bond-states",
    /// Pairs without round-trip times.
    Times: "given-up.times",
    /// Groups of deaths that no cause was asked for.
    Deaths: "given-up.deaths",
    /// States of the host.
    States: "given-up.states",
    /// Packets between hosts whose owner is not known.
    Owners: "given-up.owners",
    /// Packets that clocks are compared by: one in so many is.
    Marks: "given-up.marks",
    /// Moments at which the clock of a file was set.
    Steps: "given-up.steps",
    /// ARP requests and replies, each with where it was seen.
    ArpSights: "given-up.arp",
    /// Frames that were not understood, for further reasons.
    Opaque: "given-up.opaque",
}

impl From<Unread> for Cap {
    fn from(what: Unread) -> Self {
        match what {
            Unread::Folders => Self::Folders,
            Unread::Ledgers => Self::Ledgers,
            Unread::Listing => Self::Listing,
            Unread::PingGaps => Self::PingGaps,
            Unread::Runs => Self::Runs,
        }
    }
}

#[cfg(test)]
mod tests {
    use netcap_words::Lang;

    use super::*;
    use crate::text::Text;

    #[test]
    fn every_cap_says_in_both_languages_what_was_given_up() {
        for cap in Cap::ALL {
            let text = Text::new(cap.phrase()).with("count", 3);
            let [english, chinese] = [Lang::En, Lang::Zh].map(|lang| text.render(lang));
            let said = |text: &str| !text.contains("given-up") && !text.contains("%{");
            assert!(said(&english) && said(&chinese) && english != chinese, "{cap:?}: {english} {chinese}");
        }
    }
}
