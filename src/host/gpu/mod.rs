//! GPUs that a driver has made ready for computing, by vendor. Loads no driver, and opens no device.

pub(super) mod amd;
pub(super) mod intel;
pub(super) mod nvidia;
mod cuda;
