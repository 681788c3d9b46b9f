//! From a container or an image, and a host, to a decision: what is demanded, whether the host has it, what is waived.

pub mod check;
pub mod waive;
pub mod meant;
pub mod requirements;
pub mod pipeline;
pub mod gate;
