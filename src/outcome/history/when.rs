//! Moments as people write them on a command line.

use anyhow::{Context, bail};

use crate::words::moment::{Moment, moment};

/// Reads `2h` (that long before `now`; `s`, `m`, `h`, `d`, `w`), a day, a day and a time (both UTC), or RFC 3339.
///
/// # Errors
///
/// If it is none of these.
pub fn when(text: &str, now: Moment) -> anyhow::Result<Moment> {
    if let Some(ago) = duration(text) {
        let seconds = now.0.checked_sub(ago).with_context(|| format!("{text:?} is too long ago"))?;
        return Ok((seconds, now.1));
    }
    let spelled = text.replacen(' ', "T", 1);
    let completed = ["", "Z", ":00Z", "T00:00:00Z"].into_iter().map(|end| format!("{spelled}{end}"));
    match completed.filter_map(|it| moment(&it)).next() {
        Some(moment) => Ok(moment),
        None => bail!("{text:?} is no time; write 90m, 2h, 7d, 2026-08-01, or 2026-08-01T10:00:00Z"),
    }
}

/// Seconds.
fn duration(text: &str) -> Option<i64> {
    let unit = match text.bytes().last()? {
        b's' => 1,
        b'm' => 60,
        b'h' => 3_600,
        b'd' => 86_400,
        b'w' => 604_800,
        _ => return None,
    };
    let digits = text.get(..text.len() - 1)?;
    let number: i64 =
        if digits.bytes().all(|it| it.is_ascii_digit()) { digits.parse().ok()? } else { return None };
    number.checked_mul(unit)
}
