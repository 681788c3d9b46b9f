//! Text as people, kernels and engines write it: versions, points in time, patterns with `*`.

pub mod version;
pub mod moment;
pub mod glob;
