//! Numbers of points, of the broadcast domains they belong to, and of hosts.

/// A capture point: an index into the input's points, or, above them, an interface of a bare file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct PointId(pub u32);

/// A broadcast domain: a virtual switch, or a point of which no switch is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct DomainId(pub u32);

/// A recorded host: its points share one clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub(crate) struct HostId(pub u32);
