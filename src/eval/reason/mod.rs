//! Every code and every sentence about a requirement. What is said here comes from typed evidence; nothing is judged.

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
