//! From a container or an image, and a host, to a decision: the requirements, whether the host meets them, the waivers.

pub mod check;
pub mod waive;
pub mod named;
pub mod requirements;
pub mod pipeline;
pub mod gate;
