//! Every code and every sentence about a requirement. The sentences are made from typed evidence; nothing is judged here.

mod codes;
mod words;
mod finding;
mod headline;
mod demands;
mod nvidia;
#[cfg(test)]
mod tests;

pub use codes::{CODES, Code};
pub use demands::{demands, group_demands};
