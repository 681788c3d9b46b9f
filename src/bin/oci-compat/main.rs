//! The program for people and CI: checks, probes, lints, and manages the local store.

mod args;
mod attach;
mod check;
mod complete;
mod config;
mod engines;
mod explain;
mod init;
mod test;
mod facts;
mod install;
mod lint;
mod convert;
mod log;
mod logger;
mod man;
mod output;
mod registry;
mod scan;
mod select;
mod verifier;
mod show;
mod status;
mod why;
mod probe;
mod pull;
mod store;

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::anyhow;
use clap::FromArgMatches;
use nix::errno::Errno;
use oci_compat::eval::verdict::TROUBLE;
use oci_compat::os::file;

use args::{Args, Command, ConfigCommand};
use output::Output;
#[global_allocator]
static HEAP: oci_compat::os::heap::Heap = oci_compat::os::heap::Heap::new();

fn main() -> ExitCode {
    let args = match Args::from_arg_matches(&Args::described().get_matches()) {
        Ok(args) => args,
        Err(err) => err.exit(),
    };
    let mut output = Output::stdout();
    match logger::init(args.verbose).and_then(|()| run(args, &mut output)) {
        Ok(status) => ExitCode::from(status),
        Err(err) if output::is_broken_pipe(&err) => ExitCode::SUCCESS,
        Err(err) => {
            let message = oci_compat::words::text::printable(&format!("{err:#}"));
            // A closed stream loses nothing: the exit status says it too.
            let _unheard = writeln!(std::io::stderr(), "error: {message}");
            ExitCode::from(TROUBLE)
        }
    }
}

fn run(args: Args, output: &mut Output) -> anyhow::Result<u8> {
    match args.command {
        Command::Check(check) => check::run(&check, &args.common, output),
        Command::Probe(probe) => probe::run(&probe, output),
        Command::Lint(lint) => lint::run(&lint, output),
        Command::Convert(convert) => convert::run(&convert, output),
        Command::Explain { name } => explain::run(&name, output),
        Command::Init(init) => init::run(&init, output),
        Command::Test(test) => test::run(&test, output),
        Command::Attach(attach) => attach::run(&attach, output),
        Command::Select(select) => select::run(&select, &args.common, output),
        Command::Pull(pull) => pull::run(&pull, &args.common, output),
        Command::Show(show) => show::run(&show, &args.common, output),
        Command::List(list) => store::list::list(&list, &args.common.store, output),
        Command::Remove(remove) => store::list::remove(&remove, &args.common.store, output),
        Command::Why { container, reports, decisions, format } => {
            let decisions = config::decisions(decisions.as_deref(), &args.common.config);
            let reports = reports.map_or_else(oci_compat::outcome::saved::folders, |it| vec![it]);
            why::run(container.as_deref(), &reports, &decisions, format, output)
        }
        Command::Log(log) => log::run(&log, &args.common.config, output),
        Command::Install(install) => install::run(&install, &args.common.config, output),
        Command::Verifier(words) => verifier::run(&words, &args.common, output),
        Command::Status(status) => status::run(&status, &args.common, output),
        Command::Uninstall(uninstall) => install::uninstall(&uninstall, output),
        Command::Store(command) => store::run(&command, &args.common, output),
        Command::Config(ConfigCommand::Check(check)) => config::check(&check, &args.common.config, output),
        Command::Completions { shell } => complete::script(shell, output),
        Command::Complete { words } => complete::run(&words, &args.common, output),
        Command::Man { folder } => {
            man::write(&folder).map_err(|err| unwritten(&folder, &err))?;
            Ok(0)
        }
    }
}

fn unwritten(folder: &Path, err: &io::Error) -> anyhow::Error {
    let errno = Errno::from_raw(err.raw_os_error().unwrap_or(0));
    anyhow!("writing man pages into {}: it {}", folder.display(), file::explain(errno))
}
