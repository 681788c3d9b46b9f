//! Standard output: data and nothing else. A closed pipe is no error.

use std::io::{self, IsTerminal, StdoutLock, Write};

use oci_compat::outcome::report::Style;

/// Where reports go, and how they look there.
#[derive(Debug)]
pub(crate) struct Output {
    stdout: StdoutLock<'static>,
    is_dumb: bool,
    pub(crate) style: Style,
}

impl Output {
    #[expect(clippy::disallowed_methods, reason = "an entry point reads the environment")]
    pub(crate) fn stdout() -> Self {
        let stdout = io::stdout().lock();
        // https://no-color.org: any value but an empty one.
        let no_colour = std::env::var_os("NO_COLOR").is_some_and(|it| !it.is_empty());
        let is_dumb = std::env::var_os("TERM").is_none_or(|it| it == "dumb");
        let style = if stdout.is_terminal() && !no_colour && !is_dumb { Style::Colour } else { Style::Plain };
        Self { stdout, is_dumb, style }
    }

    /// Whether stdout is a terminal.
    pub(crate) fn is_terminal(&self) -> bool {
        self.stdout.is_terminal()
    }

    /// Whether standard error is a terminal on which a line can be written over.
    pub(crate) fn shows_progress(&self) -> bool {
        !self.is_dumb && io::stderr().is_terminal()
    }

    pub(crate) fn writer(&mut self) -> &mut dyn Write {
        &mut self.stdout
    }

    pub(crate) fn print(&mut self, text: &str) -> anyhow::Result<()> {
        self.stdout.write_all(text.as_bytes())?;
        Ok(self.stdout.flush()?)
    }

    pub(crate) fn json(&mut self, document: &impl serde::Serialize) -> anyhow::Result<()> {
        let mut text = serde_json::to_string_pretty(document)?;
        text.push('\n');
        self.print(&text)
    }
}

pub(crate) fn is_broken_pipe(err: &anyhow::Error) -> bool {
    err.chain()
        .filter_map(|it| it.downcast_ref::<io::Error>())
        .any(|it| it.kind() == io::ErrorKind::BrokenPipe)
}
