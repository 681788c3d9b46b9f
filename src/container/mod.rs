//! Which container is started, and from which image.

pub mod input;
pub mod identity;
