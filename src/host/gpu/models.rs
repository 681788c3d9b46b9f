//! What the PCI id and the name of an NVIDIA GPU tell: compute capability and brand. Guesses nothing of GPUs that it does not
//! know.

/// First and last PCI device id of NVIDIA's chips (pci.ids of 2026-08-22), and their compute capability
/// (<https://developer.nvidia.com/cuda-gpus> and <https://developer.nvidia.com/cuda-legacy-gpus>). Ids between these are unknown.
const CHIPS: [(u16, u16, &str); 26] = [
    (0x1340, 0x13ac, "5.0"),  // GM108, GM107
    (0x13ad, 0x13ae, "5.2"),  // GM204
    (0x13b0, 0x13bd, "5.0"),  // GM107
    (0x13be, 0x1436, "5.2"),  // GM204, GM206
    (0x15c2, 0x15ff, "6.0"),  // GP100
    (0x1613, 0x1676, "5.2"),  // GM204
    (0x17c2, 0x17fd, "5.2"),  // GM200
    (0x1b00, 0x1d56, "6.1"),  // GP102, GP104, GP106, GP107, GP108
    (0x1d81, 0x1df6, "7.0"),  // GV100
    (0x1e00, 0x1fff, "7.5"),  // TU102, TU104, TU106, TU117
    (0x2080, 0x20ff, "8.0"),  // GA100
    (0x2180, 0x21ff, "7.5"),  // TU116
    (0x2200, 0x223f, "8.6"),  // GA102
    (0x2302, 0x23f0, "9.0"),  // GH100
    (0x2414, 0x25fb, "8.6"),  // GA103, GA104, GA106, GA107
    (0x2681, 0x28f8, "8.9"),  // AD102, AD103, AD104, AD106, AD107
    (0x2900, 0x29f1, "10.0"), // GB100, GB102
    (0x2b85, 0x2bbc, "12.0"), // GB202
    (0x2c02, 0x2c19, "12.0"), // GB203
    (0x2c31, 0x2c79, "12.0"), // GB203
    (0x2d04, 0x2d19, "12.0"), // GB206
    (0x2d30, 0x2d79, "12.0"), // GB206
    (0x2d83, 0x2df9, "12.0"), // GB207
    (0x2e12, 0x2e12, "12.1"), // GB10
    (0x2f04, 0x2f58, "12.0"), // GB205
    (0x3180, 0x323e, "10.3"), // GB110, GB112
];
/// How names of GPUs start, and what NVML calls such a brand, as libnvidia-container writes it.
const BRANDS: [(&str, &str); 8] = [
    ("GeForce RTX", "GeForceRTX"),
    ("GeForce", "GeForce"),
    ("TITAN RTX", "TitanRTX"),
    ("TITAN", "Titan"),
    ("Quadro RTX", "QuadroRTX"),
    ("Quadro", "Quadro"),
    ("NVS", "NVS"),
    ("RTX", "NvidiaRTX"),
];
/// Older drivers know no brands of RTX.
const RTX_SINCE: u32 = 470;

/// The compute capability of a GPU with this PCI device id, such as `0x20b0`.
pub(super) fn arch(id: &str) -> Option<&'static str> {
    let digits = id.strip_prefix("0x").unwrap_or(id);
    let id = u16::from_str_radix(digits, 16).ok().filter(|_| digits.len() == 4)?;
    let chip = CHIPS.iter().find(|(first, last, _)| (*first..=*last).contains(&id));
    chip.map(|(.., arch)| *arch)
}

/// The brand of a GPU with this name under a driver of this version. GPUs for data centres are `Tesla` to older drivers and
/// `NVIDIA` to newer ones; since which one is not documented.
pub(super) fn brand(model: &str, driver: &str) -> Option<&'static str> {
    let name = model.strip_prefix("NVIDIA ").unwrap_or(model);
    let (_, brand) = BRANDS.iter().find(|(start, _)| name.starts_with(start))?;
    let branch: u32 = driver.split('.').next()?.parse().ok()?;
    (RTX_SINCE <= branch || !brand.ends_with("RTX")).then_some(*brand)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pci_id_tells_the_compute_capability() {
        for (id, expected) in [
            ("0x1db4", Some("7.0")),
            ("1eb8", Some("7.5")),
            ("0x20b0", Some("8.0")),
            ("0x2204", Some("8.6")),
            ("0x2335", Some("9.0")),
            ("0x2684", Some("8.9")),
            ("0x2b85", Some("12.0")),
            ("0x2c02", Some("12.0")),
            ("0x2d04", Some("12.0")),
            ("0x2f04", Some("12.0")),
            ("0x2e12", Some("12.1")),
            ("0x2c2c", None),
            ("0x0020", None),
            ("0x2b00", None),
            ("0xffff", None),
            ("", None),
            ("0x220", None),
            ("0x12204", None),
        ] {
            assert_eq!(arch(id), expected, "{id}");
        }
        assert!(CHIPS.windows(2).all(|it| it[0].1 < it[1].0) && CHIPS.iter().all(|it| it.0 <= it.1));
    }

    #[test]
    fn the_name_tells_the_brand_where_that_is_certain() {
        for (model, driver, expected) in [
            ("NVIDIA GeForce RTX 3090", "535.54", Some("GeForceRTX")),
            ("NVIDIA GeForce RTX 3090", "450.80", None),
            ("GeForce GTX 1080 Ti", "450.80", Some("GeForce")),
            ("TITAN V", "470.1", Some("Titan")),
            ("Quadro RTX 6000", "470.1", Some("QuadroRTX")),
            ("Quadro P4000", "470.1", Some("Quadro")),
            ("NVIDIA RTX A6000", "535.54", Some("NvidiaRTX")),
            ("Tesla T4", "535.54", None),
            ("NVIDIA A100-SXM4-40GB", "535.54", None),
            ("GRID T4-8Q", "535.54", None),
            ("", "", None),
        ] {
            assert_eq!(brand(model, driver), expected, "{model} {driver}");
        }
    }
}
