//! What is known of a run, in the formats of other tools.
//!
//! [`json`] and [`tenet`] are traces, beside [`Text`](crate::trace::Text); [`timeline`] is one for people who look at
//! goroutines. [`cover`] and [`profile`] count; [`view`] is a page to look at a run step by step.

mod calls;
pub mod cover;
pub mod json;
mod out;
pub mod profile;
pub mod tenet;
pub mod timeline;
pub mod view;

pub use cover::Blocks;
pub use json::JsonLines;
pub use profile::Profiler;
pub use tenet::Tenet;
pub use timeline::Timeline;
pub use view::Viewer;
