//! The table as JUnit's XML, which CI systems show as tests: an image that does not fit is a failure, and one that is undecided
//! is an error.

use crate::eval::verdict::Verdict;

use super::{ImageRow, ImageTable};

/// The document.
pub fn junit(table: &ImageTable) -> String {
    let errors = table.counts.undecided + table.unread.len();
    let tests = table.images.len() + table.unread.len();
    let failures = table.counts.incompatible;
    let sums = format!("tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\"");
    let mut xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"oci-compat\" {sums}>\n  <testsuite name=\"images\" {sums}>\n"
    );
    table.images.iter().for_each(|it| xml.push_str(&case(it)));
    for why in &table.unread {
        let why = escaped(why);
        xml.push_str(&format!(
            "    <testcase classname=\"engines\" name=\"asking which images there are\">\n      <error type=\"trouble\" \
             message=\"{why}\"/>\n    </testcase>\n"
        ));
    }
    xml.push_str("  </testsuite>\n</testsuites>\n");
    xml
}

fn case(row: &ImageRow) -> String {
    let open = format!("    <testcase classname=\"{}\" name=\"{}\"", row.engine, escaped(row.title()));
    let tag = match row.verdict {
        Verdict::Compatible => return format!("{open}/>\n"),
        Verdict::Incompatible => "failure",
        Verdict::Undecided => "error",
    };
    let (code, message) = row.reasons.first().map_or(("", ""), |it| (it.code.as_str(), it.message.as_str()));
    let all: Vec<_> = row.reasons.iter().map(|it| format!("{} [{}]", it.message, it.code)).collect();
    format!(
        "{open}>\n      <{tag} type=\"{}\" message=\"{}\">{}</{tag}>\n    </testcase>\n",
        escaped(code),
        escaped(message),
        escaped(&all.join("\n"))
    )
}

/// As text and as an attribute. What XML cannot hold at all, control characters, is escaped in reports already.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for it in text.chars() {
        match it {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\u{fffe}' | '\u{ffff}' => safe.push('\u{fffd}'),
            it => safe.push(it),
        }
    }
    safe
}
