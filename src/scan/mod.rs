//! Judges images, where nothing starts yet: in a registry, in the stores of a host's engines, and at the moment when containerd
//! is about to pull one. What is demanded and how it is judged is the same as for a container.

pub mod platform;
pub mod layers;
pub mod own;
pub mod remote;
pub mod select;
pub mod local;
pub mod table;
pub mod engines;
pub mod verifier;
