//! How specs get to an image, and from there into the store: registries, attaching, signatures, pulling. Only for the command
//! line: the hook and the wrapper never use the network.

pub mod registry;
pub mod trust;
pub mod attach;
pub mod pull;
pub mod list;
pub mod show;
