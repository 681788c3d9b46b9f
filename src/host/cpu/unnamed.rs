//! The model of processors for which NFD has no names, in NFD's words for that. Reads nothing.

use super::elsewhere;
use crate::host::{Fact, Feature, Root, Wanted};

const SOURCE: &str = "the architecture";

/// `cpu.model`: what NFD says of every processor of such an architecture, and of every hypervisor there: a rule that
/// names a vendor is not about this machine.
pub(super) fn model(root: &Root, wanted: &Wanted) -> Fact {
    if !root.is_this_machine() {
        return Fact::Unknown(elsewhere(SOURCE));
    }
    Fact::Known(feature(wanted), SOURCE.to_owned())
}

fn feature(wanted: &Wanted) -> Feature {
    let elements = [("vendor_id", "VendorUnknown"), ("family", "0"), ("id", "0"), ("hypervisor", "none")];
    Feature::attributes(elements.into_iter().filter(|(name, _)| wanted.has(name)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::Unknown;
    use crate::host::testing::{show, wanted};
    use crate::testing::FakeHost;

    fn check(wanted: &Wanted, expected: &str) {
        assert_eq!(show(&model(&Root::live(), wanted)), format!("known (the architecture): {expected}"));
    }

    #[test]
    fn a_processor_without_a_name_is_reported_as_nfd_reports_it() {
        check(&Wanted::All, r#"family="0" hypervisor="none" id="0" vendor_id="VendorUnknown""#);
        check(&wanted(&["vendor_id", "cores"]), r#"vendor_id="VendorUnknown""#);
    }

    #[test]
    fn a_tree_of_files_may_be_of_another_architecture() {
        let reason = "can only be read on the machine itself, not from a tree of its files";
        let expected = Fact::Unknown(Unknown::new(SOURCE, reason));
        assert_eq!(model(&FakeHost::new().root(), &Wanted::All), expected);
    }
}
