//! Memory: how much, of which kind, and how it is spread. Allocates none of it.

pub(super) mod hugepages;
pub(super) mod numa;
pub(super) mod nv;
pub(super) mod page;
pub(super) mod swap;
pub(super) mod thp;
pub(super) mod total;
pub(super) mod quantity;
