//! `config`: errors of the configuration, and the settings in effect.

use std::path::{Path, PathBuf};

use oci_compat::container::identity::engines::Answers;
use oci_compat::container::identity::images::{self, RepositoryImage};
use oci_compat::image::Image;
use oci_compat::os::file;
use oci_compat::outcome::decisions;
use oci_compat::policy::{self, Defaults};
use oci_compat::setup::config::{self, KnownMachine, LocalImages};

use crate::args::{ConfigCheck, ConfigFormat, EngineArg};
use crate::engines;
use crate::output::Output;

/// Where decisions may be: the file that is named, or a user's own, and that of the configuration.
pub(crate) fn decisions(named: Option<&Path>, config: &Path) -> Vec<PathBuf> {
    if let Some(named) = named {
        return vec![named.to_owned()];
    }
    // A configuration that is broken, or that wants no file, leaves older decisions where they are by default.
    let wanted = policy::load(config, Defaults::Standard).0.log.decisions;
    decisions::files(wanted.unwrap_or_else(|| PathBuf::from(policy::DECISIONS)))
}

pub(crate) fn check(args: &ConfigCheck, config: &Path, output: &mut Output) -> anyhow::Result<u8> {
    let path: Vec<_> = file::PATH.split(':').map(PathBuf::from).collect();
    let images = (!args.no_images).then(|| images(args));
    let machine = KnownMachine { path: &path, now: decisions::now(), images: images.as_ref() };
    let inspection = config::inspect(config, &machine);
    match args.format {
        ConfigFormat::Json => output.json(&inspection)?,
        ConfigFormat::Text => output.print(&config::text(&inspection))?,
    }
    Ok(u8::from(!inspection.errors.is_empty()))
}

/// The images of this host, as far as its engines answer.
fn images(args: &ConfigCheck) -> LocalImages {
    let Answers { records, silent, .. } =
        engines::ask(&[EngineArg::All], args.engine_root.as_deref(), &args.engine_socket, Path::new("/"));
    let image = |it: RepositoryImage| Image { names: it.names, digests: [it.digests, it.ids].concat() };
    let images = images::by_repository(records).into_iter().map(image).collect();
    LocalImages { images, silent }
}
