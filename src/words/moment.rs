//! Times in the format of RFC 3339, and their order. Never reads a clock.

use std::ops::Range;

/// A moment: seconds since 1970 in UTC, then nanoseconds. Leap seconds count as the next second's start.
pub type Moment = (i64, u32);

/// Reads an RFC 3339 `date-time`, the form of `org.opencontainers.image.created` (image-spec 1.1, `annotations.md`)
/// and of the `expiry-time` in local feature files.
///
/// `None` for everything else; days are not checked against the length of their month.
pub fn moment(text: &str) -> Option<Moment> {
    let (year, month, day) = (number(text, 0..4)?, number(text, 5..7)?, number(text, 8..10)?);
    let (hour, minute, second) = (number(text, 11..13)?, number(text, 14..16)?, number(text, 17..19)?);
    let marks = [
        mark(text, 4)?,
        mark(text, 7)?,
        mark(text, 10)?.to_ascii_uppercase(),
        mark(text, 13)?,
        mark(text, 16)?,
    ];
    let in_range = (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && (0..24).contains(&hour)
        && (0..60).contains(&minute)
        && (0..=60).contains(&second);
    if marks != *b"--T::" || !in_range {
        return None;
    }
    let (nanoseconds, zone) = fraction(text.get(19..)?)?;
    let seconds = days(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second - offset(zone)?;
    Some((seconds, nanoseconds))
}

/// The moment as RFC 3339 writes it, in UTC, with microseconds: of texts of the same length, the later one sorts behind.
///
/// A year of more than four digits is written as it is.
pub fn text((seconds, nanoseconds): Moment) -> String {
    let (year, month, day) = date(seconds.div_euclid(86_400));
    let second = seconds.rem_euclid(86_400);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    let micros = nanoseconds / 1_000;
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z")
}

/// As [`text`], without the part of a second.
pub fn seconds_text((seconds, _): Moment) -> String {
    text((seconds, 0)).replace(".000000Z", "Z")
}

/// When a day, such as `2031-12-31`, is over in UTC, or the moment that is written in full; for limits in time.
///
/// `None` for everything else, also for days that no calendar has.
pub fn end(text: &str) -> Option<Moment> {
    let (year, month, day) = (number(text, 0..4)?, number(text, 5..7)?, number(text, 8..10)?);
    let first = days(year, month, day);
    let marks = [mark(text, 4)?, mark(text, 7)?];
    match text.len() {
        _ if date(first) != (year, month, day) || marks != *b"--" => None,
        10 => Some(((first + 1) * 86_400, 0)),
        _ => moment(text),
    }
}

fn number(text: &str, range: Range<usize>) -> Option<i64> {
    let digits = text.get(range)?;
    if digits.bytes().all(|it| it.is_ascii_digit()) { digits.parse().ok() } else { None }
}

fn mark(text: &str, at: usize) -> Option<u8> {
    text.as_bytes().get(at).copied()
}

/// Reads `.5` as nanoseconds and returns the text after it; digits beyond the ninth are cut off.
fn fraction(text: &str) -> Option<(u32, &str)> {
    let Some(rest) = text.strip_prefix('.') else { return Some((0, text)) };
    let end = rest.find(|it: char| !it.is_ascii_digit())?;
    let (digits, zone) = rest.split_at_checked(end)?;
    if digits.is_empty() {
        return None;
    }
    let nine: String = digits.chars().chain("000000000".chars()).take(9).collect();
    Some((nine.parse().ok()?, zone))
}

/// Reads `Z` or `+hh:mm` as the seconds that local time is ahead of UTC.
fn offset(zone: &str) -> Option<i64> {
    if zone.eq_ignore_ascii_case("z") {
        return Some(0);
    }
    let sign = match (zone.len(), mark(zone, 0)?, mark(zone, 3)?) {
        (6, b'+', b':') => 1,
        (6, b'-', b':') => -1,
        _ => return None,
    };
    let (hours, minutes) = (number(zone, 1..3)?, number(zone, 4..6)?);
    if hours < 24 && minutes < 60 { Some(sign * (hours * 3_600 + minutes * 60)) } else { None }
}

/// Days since 1970-01-01 in the Gregorian calendar, counted in years that start in March so that leap days come last.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// The reverse of [`days`].
fn date(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (year_of_era + era * 400 + next, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<Moment>) {
        assert_eq!(moment(text), expected, "{text}");
    }

    #[test]
    fn moments_are_read_in_utc() {
        check("1970-01-01T00:00:00Z", Some((0, 0)));
        check("2024-02-29T12:30:45Z", Some((1_709_209_845, 0)));
        check("2000-03-01t00:00:00z", Some((951_868_800, 0)));
        check("1969-12-31T23:59:59Z", Some((-1, 0)));
        check("2025-06-01T02:00:00+02:00", Some((1_748_736_000, 0)));
        check("2025-05-31T19:30:00-04:30", Some((1_748_736_000, 0)));
        check("2025-06-01T00:00:00.5Z", Some((1_748_736_000, 500_000_000)));
        check("2025-06-01T00:00:00.0000000019Z", Some((1_748_736_000, 1)));
    }

    #[test]
    fn moments_are_written_as_they_are_read() {
        let check = |it: Moment, expected: &str| {
            assert_eq!(text(it), expected);
            assert_eq!(moment(expected), Some((it.0, it.1 / 1_000 * 1_000)));
        };
        check((0, 0), "1970-01-01T00:00:00.000000Z");
        check((-1, 999_999_999), "1969-12-31T23:59:59.999999Z");
        check((1_709_209_845, 1_999), "2024-02-29T12:30:45.000001Z");
        check((951_868_800, 0), "2000-03-01T00:00:00.000000Z");
        check((4_107_542_399, 0), "2100-02-28T23:59:59.000000Z");
        check((4_107_542_400, 0), "2100-03-01T00:00:00.000000Z");
    }

    #[test]
    fn every_day_of_a_cycle_of_the_calendar_is_read_back() {
        for day in -146_097..146_097 {
            let (year, month, date) = date(day);
            assert_eq!(days(year, month, date), day);
        }
    }

    #[test]
    fn what_is_not_rfc_3339_is_no_moment() {
        for text in [
            "",
            "2025-06-01",
            "2025-06-01T00:00:00",
            "2025-06-01 00:00:00Z",
            "2025-13-01T00:00:00Z",
            "2025-06-00T00:00:00Z",
            "2025-06-01T24:00:00Z",
            "2025-06-01T00:00:00.Z",
            "2025-06-01T00:00:00.5",
            "2025-06-01T00:00:00+2:00",
            "2025-06-01T00:00:00+24:00",
            "+025-06-01T00:00:00Z",
            "2025-06-01T00:00:00Z ",
            "yesterday, in the évening",
        ] {
            check(text, None);
        }
    }

    #[test]
    fn a_day_ends_where_the_next_one_starts() {
        let check = |text: &str, expected: Option<Moment>| assert_eq!(end(text), expected, "{text}");
        check("1970-01-01", Some((86_400, 0)));
        check("1969-12-31", Some((0, 0)));
        check("2024-02-29", Some((1_709_251_200, 0)));
        check("2031-12-31", Some((1_956_528_000, 0)));
        check("1970-01-01T01:00:00+01:00", Some((0, 0)));
        for text in
            ["2023-02-29", "2024-04-31", "2024-13-01", "2024-00-01", "2024-01-00", "2024-02-30T00:00:00Z"]
        {
            check(text, None);
        }
        for text in ["", "never", "2024-1-1", "2024/01/01", "2024-01-01 ", "2024-01-01T"] {
            check(text, None);
        }
    }

    #[test]
    fn a_moment_in_whole_seconds_has_no_fraction() {
        assert_eq!(seconds_text((0, 999_999_999)), "1970-01-01T00:00:00Z");
        assert_eq!(seconds_text((951_782_399, 0)), "2000-02-28T23:59:59Z");
        assert_eq!(seconds_text((951_782_400, 1)), "2000-02-29T00:00:00Z");
    }
}
