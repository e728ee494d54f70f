//! The contract of a fold: a state that grows packet by packet in each segment, and joins in segment order.

use std::sync::Arc;

use super::points::FoldContext;
use super::view::PacketView;

/// A state grown over packets. Each segment has its own; the states of all segments are merged in segment order, so
/// that the result does not depend on the number of threads.
pub(crate) trait Fold: Sized + Send {
    /// The empty state.
    fn start(context: &Arc<FoldContext>) -> Self;

    /// Takes one packet. Called for every packet: no allocation here in the common case.
    fn packet(&mut self, packet: &PacketView<'_>);

    /// Takes the state of a later segment.
    fn merge(&mut self, later: Self);
}

/// A struct of folds that are fed together, and that is a fold itself.
macro_rules! folds {
    ($(#[$doc:meta])* $vis:vis struct $folds:ident { $($name:ident: $fold:ty,)* }) => {
        $(#[$doc])*
        #[derive(Debug)]
        $vis struct $folds {
            $($name: $fold,)*
        }

        impl $crate::engine::Fold for $folds {
            fn start(context: &std::sync::Arc<$crate::engine::points::FoldContext>) -> Self {
                Self { $($name: $crate::engine::Fold::start(context),)* }
            }

            fn packet(&mut self, packet: &$crate::engine::PacketView<'_>) {
                $(self.$name.packet(packet);)*
            }

            fn merge(&mut self, later: Self) {
                $(self.$name.merge(later.$name);)*
            }
        }
    };
}

pub(crate) use folds;
