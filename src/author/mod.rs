//! For authors of specs: what is allowed and probably not meant, and the way to Node Feature Discovery's language.

pub mod lint;
pub mod convert;
