//! `store`: fills the local store from files.

use std::ffi::OsStr;
use std::path::Path;

use anyhow::{Context, bail};
use oci_compat::artifact::{Added, Addition, Compiled, Digest, Package, Subject, Writer, layout, pack};
use oci_compat::spec::{self, compiled};

use crate::args::{Common, Store};
use crate::check::read;
use crate::output::Output;

pub(crate) fn run(command: &Store, common: &Common, output: &mut Output) -> anyhow::Result<u8> {
    match command {
        Store::Add { source, subject, created } => {
            let subject = subject
                .as_deref()
                .map(|it| it.parse::<Digest>().with_context(|| format!("--subject {it:?}")));
            let additions = additions(source, subject.transpose()?, created.as_deref())?;
            let mut writer = Writer::open(&common.store)?;
            for addition in &additions {
                let Added { artifact, changed } = writer.add(addition)?;
                let verb = if changed { "added" } else { "already there:" };
                output.print(&format!(
                    "{verb} artifact {} for image {}\n",
                    artifact.manifest, addition.subject
                ))?;
            }
        }
        Store::Recompile => {
            let recompiled =
                Writer::open(&common.store)?.recompile(compiled::FORMAT, |_, bytes| compile(bytes))?;
            let plural = if recompiled.written == 1 { "" } else { "s" };
            output.print(&format!("{} spec{plural} compiled\n", recompiled.written))?;
            for (digest, err) in recompiled.failed {
                log::warn!("spec {digest} is read as it is: {err:#}");
            }
        }
    }
    Ok(0)
}

#[expect(clippy::disallowed_methods, reason = "a path that a person named; a wrong guess is an error below")]
fn additions(
    source: &OsStr,
    subject: Option<Digest>,
    created: Option<&str>,
) -> anyhow::Result<Vec<Addition>> {
    let path = Path::new(source);
    if !path.is_file() {
        let found = layout::find(source, subject.as_ref())?;
        return found
            .into_iter()
            .map(|it| addition(it.subject, it.package, &it.artifact.manifest.to_string()))
            .collect();
    }
    let Some(subject) = subject else {
        bail!("{} is a spec file: say which image it is for with --subject sha256:...", path.display());
    };
    let package = pack(&read(path)?, &Subject::unseen(subject), created)?;
    Ok(vec![addition(subject, package, &path.display().to_string())?])
}

/// A spec that cannot be read would refuse every start of its image: it is not stored.
fn addition(subject: Digest, package: Package, name: &str) -> anyhow::Result<Addition> {
    let body = compile(&package.spec)
        .with_context(|| format!("the spec of {name} is malformed; `oci-compat lint` shows all errors"))?;
    Ok(Addition { subject, package, compiled: Some(Compiled { format: compiled::FORMAT, body }) })
}

fn compile(bytes: &[u8]) -> anyhow::Result<Vec<u8>> {
    compiled::encode(&spec::parse(bytes)?)
}
