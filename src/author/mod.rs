//! For authors of specs: probable mistakes, and the conversion to Node Feature Discovery's language.

pub mod lint;
pub mod convert;
