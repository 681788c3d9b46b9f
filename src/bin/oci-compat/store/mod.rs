//! `store`: fills the local store from files, and maintains it.

mod carry;
mod keep;
pub(crate) mod list;

use std::ffi::OsStr;
use std::path::Path;

use anyhow::{Context, bail};
use oci_compat::spec::{compiled, formats};
use oci_compat::store::{
    Added, Addition, ArtifactSubject, CREATED, Compiled, Digest, Package, Writer, layout, pack_annotated,
};
use oci_compat::words::text::counted;

use crate::args::{CommonArgs, StoreCommand};
use crate::attach::{kind_of, layout_of};
use crate::check::read;
use crate::engines;
use crate::output::Output;

pub(crate) fn run(command: &StoreCommand, common: &CommonArgs, output: &mut Output) -> anyhow::Result<u8> {
    match command {
        StoreCommand::Add { source, subject, created } => {
            let subject = subject.as_deref().map(engines::subject);
            let additions = additions(source, subject.transpose()?, created.as_deref())?;
            add(&additions, &common.store, output)
        }
        StoreCommand::Recompile => recompile(&common.store, output),
        StoreCommand::Gc { superseded } => keep::gc(*superseded, &common.store, output),
        StoreCommand::Verify => keep::verify(&common.store, output),
        StoreCommand::Export { file } => carry::export(file, &common.store, output),
        StoreCommand::Import { file } => carry::import(file, common, output),
    }
}

fn add(additions: &[Addition], store: &Path, output: &mut Output) -> anyhow::Result<u8> {
    let mut writer = Writer::open(store)?;
    for addition in additions {
        let Added { artifact, changed } = writer.add(addition)?;
        let verb = if changed { "added" } else { "already there:" };
        output.print(&format!("{verb} artifact {} for image {}\n", artifact.manifest, addition.subject))?;
    }
    Ok(0)
}

fn recompile(store: &Path, output: &mut Output) -> anyhow::Result<u8> {
    let recompiled = Writer::open(store)?.recompile(compiled::FORMAT, compile)?;
    output.print(&format!("{} compiled\n", counted(recompiled.written, "spec")))?;
    for (digest, err) in recompiled.failed {
        log::warn!("spec {digest} is read as it is: {err:#}");
    }
    Ok(0)
}

#[expect(clippy::disallowed_methods, reason = "a path that a person named; a wrong guess is an error below")]
fn additions(
    source: &OsStr,
    subject: Option<Digest>,
    created: Option<&str>,
) -> anyhow::Result<Vec<Addition>> {
    // As attach and show name them.
    let source = source.to_str().and_then(layout_of).map_or(source, OsStr::new);
    let path = Path::new(source);
    if !path.is_file() || path.extension().is_some_and(|it| it == "tar") {
        let found = layout::find(source, subject.as_ref())?;
        return found
            .into_iter()
            .map(|it| addition(it.subject, it.package, &it.artifact.manifest.to_string()))
            .collect();
    }
    let Some(subject) = subject else {
        bail!("{} is a spec file: say which image it is for with --subject sha256:...", path.display());
    };
    let (bytes, name) = (read(path)?, path.display().to_string());
    let spec = formats::parse(&bytes).with_context(|| malformed(&name))?;
    let annotations = created.map(|it| (CREATED.to_owned(), it.to_owned())).into_iter().collect();
    let package = pack_annotated(&bytes, kind_of(&spec), &ArtifactSubject::unseen(subject), &annotations)?;
    Ok(vec![addition(subject, package, &name)?])
}

/// A spec that cannot be read would refuse every start of its image: it is not stored.
fn addition(subject: Digest, package: Package, name: &str) -> anyhow::Result<Addition> {
    let kind = package.artifact(&subject)?.spec.media_type;
    let body = compile(&kind, &package.spec).with_context(|| malformed(name))?;
    Ok(Addition::of_file(subject, package, Some(Compiled { format: compiled::FORMAT, body })))
}

fn malformed(name: &str) -> String {
    format!("the spec of {name} is malformed; `oci-compat lint` shows all errors")
}

fn compile(media_type: &str, bytes: &[u8]) -> anyhow::Result<Vec<u8>> {
    compiled::encode(&formats::parse_layer(media_type, bytes)?)
}
