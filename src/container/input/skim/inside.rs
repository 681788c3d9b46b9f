//! Where a scan of JSON is, and where the value ends that it passes over.

/// Go's `encoding/json`, and so runc, follows no more.
pub(super) const MAX_DEPTH: usize = 10_000;

/// Where a scan is inside a value: what is open there.
#[derive(Default)]
pub(super) struct Inside {
    /// The brackets that close what is open, innermost last.
    open: Vec<u8>,
    is_text: bool,
    /// Whether the byte before was a backslash inside a text.
    is_escaped: bool,
}

/// What a scan came to.
pub(super) enum SkimStep {
    /// The value goes on.
    More,
    /// The value ends with the last one counted.
    Done,
    /// This byte, the last one counted, does not belong there.
    Odd(u8),
    /// More is open than is followed.
    Deep,
}

impl Inside {
    /// Behind the first quote of a text.
    pub(super) fn text() -> Self {
        Self { is_text: true, ..Self::default() }
    }

    /// How many of these bytes belong to the value, and what comes then.
    pub(super) fn scan(&mut self, bytes: &[u8]) -> (usize, SkimStep) {
        let mut rest = bytes.iter();
        let step = loop {
            // Short searches: a loop that looks at the state for each byte takes twice the time.
            let next = match (self.is_text, self.is_escaped) {
                (true, true) => rest.next(),
                (true, false) => rest.find(|it| matches!(it, b'"' | b'\\')),
                (false, _) => rest.find(|it| !matches!(it, b',' | b':' | b' ' | b'\t' | b'\n' | b'\r')),
            };
            let Some(&byte) = next else { break SkimStep::More };
            if let Some(step) = self.enter(byte) {
                break step;
            }
        };
        (bytes.len() - rest.len(), step)
    }

    /// What this byte ends, if it ends the scan.
    fn enter(&mut self, byte: u8) -> Option<SkimStep> {
        match byte {
            _ if self.is_escaped => self.is_escaped = false,
            b'\\' if self.is_text => self.is_escaped = true,
            b'"' => {
                self.is_text = !self.is_text;
                return (!self.is_text && self.open.is_empty()).then_some(SkimStep::Done);
            }
            b'{' | b'[' if self.open.len() == MAX_DEPTH => return Some(SkimStep::Deep),
            b'{' => self.open.push(b'}'),
            b'[' => self.open.push(b']'),
            b'}' | b']' if self.open.pop() == Some(byte) => {
                return self.open.is_empty().then_some(SkimStep::Done);
            }
            _ if is_plain(byte) => {}
            _ => return Some(SkimStep::Odd(byte)),
        }
        None
    }
}

/// Whether it stands in a number, `true`, `false` or `null`.
pub(super) fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.')
}
