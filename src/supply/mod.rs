//! How specs get to an image, and from there into the store: registries, attaching, signatures, pulling. For the command
//! line alone: hook and wrapper never use the network.

pub mod registry;
pub mod trust;
pub mod attach;
pub mod pull;
