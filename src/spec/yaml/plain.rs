//! The meaning of a scalar without quotes. Refuses to guess where YAML and its readers could disagree.

use super::YamlValue;

/// What a plain scalar says. NFD reads YAML 1.1 and turns what it takes for a boolean or a number back into text,
/// which is not always the text that was written.
pub(super) fn plain(text: String) -> YamlValue {
    const BOOLEANS: [&str; 8] = ["y", "yes", "n", "no", "on", "off", "true", "false"];
    match text.as_str() {
        "" | "~" | "null" | "Null" | "NULL" => YamlValue::Null,
        "true" | "false" => YamlValue::Text(text),
        it if BOOLEANS.iter().any(|known| known.eq_ignore_ascii_case(it)) => {
            YamlValue::Ambiguous(text, "a boolean")
        }
        it if is_plain_integer(it) || is_unchanged_float(it) || !looks_numeric(it) => YamlValue::Text(text),
        _ => YamlValue::Ambiguous(text, "a number"),
    }
}

/// A decimal integer that every parser writes back as it stands.
fn is_plain_integer(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let canonical = text == "0" || !digits.starts_with('0');
    canonical && is_digits(digits) && (text.parse::<i64>().is_ok() || text.parse::<u64>().is_ok())
}

/// A fraction that NFD writes back as it stands: it formats with 32-bit precision, and large ones with an exponent
/// (`strconv.FormatFloat(…, 'g', -1, 32)`).
fn is_unchanged_float(text: &str) -> bool {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let Some((whole, fraction)) = unsigned.split_once('.') else { return false };
    is_digits(whole)
        && whole.len() <= 6
        && is_digits(fraction)
        && text.parse::<f32>().is_ok_and(|it| it.abs() >= 1e-4 && it.to_string() == text)
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit())
}

/// Whether YAML 1.1 or 1.2 reads it as a number: more than they do is fine, for the author is asked to quote it.
fn looks_numeric(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let lower = unsigned.to_ascii_lowercase();
    if matches!(lower.as_str(), ".inf" | ".nan") {
        return true;
    }
    let (digits, is_digit): (&str, fn(char) -> bool) = match lower.get(..2) {
        Some("0x") => (&lower[2..], |it| it.is_ascii_hexdigit()),
        Some("0b" | "0o") => (&lower[2..], |it| it.is_ascii_digit()),
        _ => return is_decimal(&lower),
    };
    digits.contains(is_digit) && digits.chars().all(|it| is_digit(it) || it == '_')
}

/// Digits and underscores, at most one point, at most one exponent, at least one digit.
fn is_decimal(text: &str) -> bool {
    let (mantissa, exponent) = text.split_once('e').map_or((text, "0"), |(left, right)| (left, right));
    let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let are_digits = |it: &str| it.bytes().all(|it| it.is_ascii_digit() || it == b'_');
    mantissa.starts_with(|it: char| it.is_ascii_digit() || it == '.')
        && mantissa.contains(|it: char| it.is_ascii_digit())
        && [whole, fraction, exponent].into_iter().all(are_digits)
        && exponent.contains(|it: char| it.is_ascii_digit())
}
