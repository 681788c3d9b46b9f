//! containerd's `hosts.toml` (containerd, `docs/hosts.md`), put into the words of registries.conf. What of it we cannot do, such as a
//! mirror with a certificate or with headers of its own, is left out: the registry itself is asked then.

use std::fmt::Write;

use super::url::{Scheme, Url};

/// Where a file for this registry may be below a folder of such files, in the order in which containerd looks.
pub fn paths(registry: &str) -> Vec<String> {
    let with_port = registry.rsplit_once(':').map(|(host, port)| format!("{host}_{port}_/hosts.toml"));
    with_port
        .into_iter()
        .chain([format!("{registry}/hosts.toml"), "_default/hosts.toml".to_owned()])
        .collect()
}

/// What a file says of this registry, as a text of registries.conf.
///
/// # Errors
///
/// Why it cannot be understood: the rest of a sentence.
pub fn rewrites(registry: &str, text: &str) -> Result<String, String> {
    let table: toml::Table = toml::from_str(text).map_err(|err| err.message().to_owned())?;
    let mut written = format!("[[registry]]\nprefix = {}\n", toml_string(registry));
    if let Some(server) = table.get("server").and_then(|it| it.as_str())
        && let Some((location, is_insecure)) = place(server, false)
        && location != "registry-1.docker.io"
    {
        // Writing to a string does not fail.
        let _infallible =
            writeln!(written, "location = {}\ninsecure = {is_insecure}", toml_string(&location));
    }
    let hosts = table.get("host").and_then(|it| it.as_table());
    let mut hosts: Vec<_> = hosts.into_iter().flatten().collect();
    // Their order in the file counts.
    hosts.sort_by_key(|(name, _)| text.find(&format!("\"{name}\"")));
    for (name, host) in hosts {
        let Some((location, is_insecure)) = host
            .as_table()
            .filter(|it| is_plain(it))
            .and_then(|it| place(name, it.get("override_path").and_then(|it| it.as_bool()).unwrap_or(false)))
        else {
            continue;
        };
        let _infallible = write!(
            written,
            "[[registry.mirror]]\nlocation = {}\ninsecure = {is_insecure}\n",
            toml_string(&location)
        );
    }
    Ok(written)
}

/// Whether a mirror is one that we can ask: it hands out images, and wants nothing but that.
fn is_plain(host: &toml::Table) -> bool {
    let can_pull = host
        .get("capabilities")
        .and_then(|it| it.as_array())
        .is_none_or(|it| it.iter().any(|it| it.as_str() == Some("pull")));
    can_pull && ["ca", "client", "header", "skip_verify"].iter().all(|it| host.get(*it).is_none())
}

/// Host and path of an address, and whether it is spoken to without TLS. A path is the start of the repositories' paths where it
/// takes the place of `/v2`, and otherwise none that we know.
fn place(text: &str, has_own_path: bool) -> Option<(String, bool)> {
    let text = if text.contains("://") { text.to_owned() } else { format!("https://{text}") };
    let url = Url::parse(&text).ok()?;
    let path = url.rest.trim_end_matches('/');
    let path = match has_own_path {
        true => path.strip_prefix("/v2").filter(|it| it.is_empty() || it.starts_with('/'))?,
        false if ["", "/v2"].contains(&path) => "",
        false => return None,
    };
    let (_, rest) = text.split_once("://")?;
    let host = rest.split('/').next()?;
    Some((format!("{host}{path}"), url.origin.scheme == Scheme::Http))
}

/// As TOML's basic strings, which escape as JSON's do.
fn toml_string(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_looked_for_where_containerd_does() {
        assert_eq!(paths("docker.io"), ["docker.io/hosts.toml", "_default/hosts.toml"]);
        let expected = ["127.0.0.1_5000_/hosts.toml", "127.0.0.1:5000/hosts.toml", "_default/hosts.toml"];
        assert_eq!(paths("127.0.0.1:5000"), expected);
    }

    #[test]
    fn mirrors_keep_their_order_and_what_we_cannot_do_is_left_out() {
        let text = r#"
server = "https://registry-1.docker.io"
[host."https://z.example:5000"]
  capabilities = ["pull", "resolve"]
[host."http://a.example"]
[host."https://harbor.example/v2/hub"]
  capabilities = ["pull"]
  override_path = true
[host."https://harbor.example/v2/other"]
[host."https://push.example"]
  capabilities = ["push"]
[host."https://own.example"]
  ca = "/etc/ca.pem"
[host."https://loose.example"]
  skip_verify = true
"#;
        let mirror = |location: &str, insecure: bool| {
            format!("[[registry.mirror]]\nlocation = \"{location}\"\ninsecure = {insecure}\n")
        };
        let mirrors =
            [mirror("z.example:5000", false), mirror("a.example", true), mirror("harbor.example/hub", false)];
        let expected = format!("[[registry]]\nprefix = \"docker.io\"\n{}", mirrors.concat());
        assert_eq!(rewrites("docker.io", text).unwrap(), expected);
    }

    #[test]
    fn the_server_is_the_registry_s_place() {
        let check = |text: &str, expected: &str| {
            let expected = format!("[[registry]]\nprefix = \"r.example\"\n{expected}");
            assert_eq!(rewrites("r.example", text).unwrap(), expected, "{text}");
        };
        check("", "");
        check("server = \"http://10.0.0.1:5000\"\n", "location = \"10.0.0.1:5000\"\ninsecure = true\n");
        check("server = \"other.example\"\n", "location = \"other.example\"\ninsecure = false\n");
        check("server = \"https://other.example/path\"\n", "");
        check("server = 1\nhost = 2\n", "");
        assert_eq!(
            rewrites("r.example", "server = ").unwrap_err(),
            "string values must be quoted, expected literal string"
        );
    }
}
