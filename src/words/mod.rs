//! Text as people, kernels and engines write it: versions, points in time, patterns with `*`, and
//! the words for what goes wrong.

pub mod version;
pub mod moment;
pub mod glob;
pub mod phrases;
pub mod errno;
pub mod text;
