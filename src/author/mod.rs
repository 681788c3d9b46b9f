//! For authors of specs: first drafts, probable mistakes, tests, and the conversion to Node Feature
//! Discovery's language.

pub mod lint;
pub mod convert;
pub mod trial;
pub mod draft;
