//! What of a frame was not understood: what nobody looked at must be said, for its absence proves nothing.

/// Why a frame says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Opaque {
    /// Its link type is not read.
    Link(u16),
    /// A protocol of the kernel's own in a cooked capture.
    Cooked(u16),
    /// A protocol of PPP that is not read.
    Ppp(u16),
    /// An Ethernet type that is not read, and is not known to carry nothing that anybody talks with.
    Type(u16),
    /// It is encrypted.
    Encrypted,
    /// The capture kept too little of it.
    Cut,
    /// Its headers contradict themselves.
    Malformed,
}
