//! Memory: its amount, its kinds, and its distribution. Allocates none of it.

pub(super) mod hugepages;
pub(super) mod numa;
pub(super) mod nv;
pub(super) mod page;
pub(super) mod swap;
pub(super) mod thp;
pub(super) mod total;
pub(super) mod quantity;
