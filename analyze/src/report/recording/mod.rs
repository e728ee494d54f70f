//! What the recording lost, gave up and removed, in a report: a section for people, an object for machines.

mod page;
mod value;

pub(super) use value::value;

#[cfg(test)]
mod tests;
