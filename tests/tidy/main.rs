//! The laws of the repository: what review would otherwise have to remember. Each lists all of its breaches.

mod commands;
mod counts;
mod crates;
mod law;
mod modules;
mod rooms;
mod scripts;
mod style;
mod translations;
mod units;
mod words;
