//! Literals of a template: Go's strings and decimal integers. Refuses the literals that would make other values.

use super::TemplateError;

/// Reads what follows an opening `"`: the text, and what follows the closing one. Offsets count from the start of `inside`.
pub(super) fn interpreted(inside: &str) -> Result<(String, &str), TemplateError> {
    let mut text = String::new();
    let mut rest = inside;
    loop {
        let offset = inside.len() - rest.len();
        let mut chars = rest.chars();
        match chars.next() {
            Some('"') => return Ok((text, chars.as_str())),
            Some('\\') => {
                let (escaped, after) =
                    escape(chars.as_str()).map_err(|message| TemplateError { offset, message })?;
                text.push(escaped);
                rest = after;
            }
            None | Some('\n') => return Err(unclosed("\"", offset)),
            Some(other) => {
                text.push(other);
                rest = chars.as_str();
            }
        }
    }
}

/// Reads what follows an opening backquote. Go drops carriage returns from raw strings.
pub(super) fn raw(inside: &str) -> Result<(String, &str), TemplateError> {
    match inside.split_once('`') {
        Some((text, rest)) => Ok((text.replace('\r', ""), rest)),
        None => Err(unclosed("`", inside.len())),
    }
}

fn unclosed(quote: &str, offset: usize) -> TemplateError {
    TemplateError {
        offset,
        message: format!("the string is not closed, expected {quote} before the line or the template ends"),
    }
}

/// Reads what follows a backslash (Go specification, "Rune literals"): the character and the rest.
fn escape(text: &str) -> Result<(char, &str), String> {
    let mut chars = text.chars();
    let plain = match chars.next() {
        Some('a') => '\x07',
        Some('b') => '\x08',
        Some('f') => '\x0c',
        Some('n') => '\n',
        Some('r') => '\r',
        Some('t') => '\t',
        Some('v') => '\x0b',
        Some('\\') => '\\',
        Some('"') => '"',
        Some('x') => return number(chars.as_str(), 2, 16, 0x7f),
        Some('u') => return number(chars.as_str(), 4, 16, u32::MAX),
        Some('U') => return number(chars.as_str(), 8, 16, u32::MAX),
        Some('0'..='7') => return number(text, 3, 8, 0x7f),
        other => return Err(unknown(other)),
    };
    Ok((plain, chars.as_str()))
}

fn unknown(escape: Option<char>) -> String {
    let escape: String = escape.into_iter().collect();
    format!(
        r#"unknown escape {}, expected one of \a \b \f \n \r \t \v \\ \" or a character by number, such as \x3d or \u003d"#,
        super::quoted(&format!("\\{escape}"))
    )
}

/// A character by number. `\x` and octal escapes above 127 would be single bytes, which text here cannot hold.
fn number(text: &str, digits: usize, radix: u32, max: u32) -> Result<(char, &str), String> {
    let code = text.get(..digits).filter(|it| it.chars().all(|digit| digit.is_digit(radix)));
    let known = code
        .and_then(|it| u32::from_str_radix(it, radix).ok())
        .filter(|it| *it <= max)
        .and_then(char::from_u32);
    match (known, text.get(digits..)) {
        (Some(known), Some(rest)) => Ok((known, rest)),
        _ => Err(r"the escape names no character, expected such as \x3d, \075 or \u00e4".to_owned()),
    }
}

/// Reads a decimal integer. Other numbers of Go (`0x10`, `010`, `1_000`, `1.5`, `'a'`) are refused: they do not mean what
/// they look like, or nothing here could be compared with them.
pub(super) fn integer(text: &str) -> Result<i64, String> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let plain = !digits.is_empty() && digits.bytes().all(|it| it.is_ascii_digit());
    if !plain || (digits.len() > 1 && digits.starts_with('0')) {
        return Err(format!(
            "{} is not supported as a number, expected a decimal integer, such as 10",
            super::quoted(text)
        ));
    }
    text.parse().map_err(|_overflow| format!("{} is beyond a 64-bit integer", super::quoted(text)))
}
