//! The challenge of a registry: the `WWW-Authenticate` of a 401 (RFC 9110, section 11.6.1).

use ureq::http::header;

use super::transport::HttpAnswer;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Challenge {
    Basic,
    Bearer(Bearer),
}

/// A token of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bearer {
    /// The address of the token service.
    pub(super) realm: String,
    pub(super) service: Option<String>,
    /// Only where it differs from the scope that we would ask for ourselves: then it is the same for all repositories.
    pub(super) scope: Option<String>,
}

/// The first challenge that we can meet; a token is better than a password. `asked` is the scope that we would ask for.
pub(super) fn of(answer: &HttpAnswer, asked: &str) -> Option<Challenge> {
    let headers = answer.headers.get_all(header::WWW_AUTHENTICATE).iter();
    let all: Vec<_> = headers.filter_map(|it| it.to_str().ok()).flat_map(parse).collect();
    let bearer = all.iter().find(|it| it.scheme == "bearer").and_then(|it| it.bearer(asked));
    let basic = || all.iter().any(|it| it.scheme == "basic").then_some(Challenge::Basic);
    bearer.map(Challenge::Bearer).or_else(basic)
}

/// One challenge: a scheme in lower case, and its parameters.
#[derive(Debug, PartialEq, Eq)]
struct Offer {
    scheme: String,
    parameters: Vec<(String, String)>,
}

impl Offer {
    fn bearer(&self, asked: &str) -> Option<Bearer> {
        let parameter =
            |name: &str| self.parameters.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
        Some(Bearer {
            realm: parameter("realm")?,
            service: parameter("service"),
            scope: parameter("scope").filter(|it| !it.is_empty() && it != asked),
        })
    }
}

/// `scheme name="value", name=value, scheme2 ...`
fn parse(text: &str) -> Vec<Offer> {
    let mut offers: Vec<Offer> = Vec::new();
    let mut rest = text;
    while let Some((word, after)) = token(rest) {
        match after.trim_start().strip_prefix('=') {
            Some(after) => {
                let (value, after) = value(after.trim_start());
                if let Some(offer) = offers.last_mut() {
                    offer.parameters.push((word.to_ascii_lowercase(), value));
                }
                rest = after;
            }
            None => {
                offers.push(Offer { scheme: word.to_ascii_lowercase(), parameters: Vec::new() });
                rest = after;
            }
        }
    }
    offers
}

fn token(text: &str) -> Option<(&str, &str)> {
    let text = text.trim_start_matches([' ', ',', '\t']);
    let end = text
        .find(|it: char| !it.is_ascii_alphanumeric() && !"-_.!#$%&'*+^`|~".contains(it))
        .unwrap_or(text.len());
    text.split_at_checked(end).filter(|(word, _)| !word.is_empty())
}

fn value(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([',', ' ']).unwrap_or(text.len());
        let (value, rest) = text.split_at(end);
        return (value.to_owned(), rest);
    };
    let mut value = String::new();
    let mut escaped = false;
    for (at, letter) in quoted.char_indices() {
        match (escaped, letter) {
            (false, '\\') => escaped = true,
            (false, '"') => return (value, quoted.get(at + 1..).unwrap_or_default()),
            _ => {
                value.push(letter);
                escaped = false;
            }
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use ureq::http::HeaderMap;

    use super::super::url::Url;
    use super::*;

    const ASKED: &str = "repository:acme/upf:pull";

    fn check(headers: &[&str], expected: Option<Challenge>) {
        let mut map = HeaderMap::new();
        for it in headers {
            map.append(header::WWW_AUTHENTICATE, it.parse().expect("a header"));
        }
        let url = Url::parse("https://quay.io/v2/").expect("an address");
        let answer = HttpAnswer { status: 401, headers: map, body: Vec::new(), stream: None, url };
        assert_eq!(of(&answer, ASKED), expected, "{headers:?}");
    }

    fn bearer(service: Option<&str>, scope: Option<&str>) -> Option<Challenge> {
        let owned = |it: Option<&str>| it.map(str::to_owned);
        Some(Challenge::Bearer(Bearer {
            realm: "https://auth.example/token".to_owned(),
            service: owned(service),
            scope: owned(scope),
        }))
    }

    #[test]
    fn a_bearer_challenge_names_its_service() {
        let realm = "Bearer realm=\"https://auth.example/token\"";
        check(&[&format!("{realm},service=\"quay\",scope=\"{ASKED}\"")], bearer(Some("quay"), None));
        check(&[&format!("{realm}, scope=\"aws\"")], bearer(None, Some("aws")));
        check(&[&realm.replace("Bearer", "bEARER")], bearer(None, None));
        check(&["Bearer realm=https://auth.example/token, service=q\"x"], bearer(Some("q\"x"), None));
        check(&[&format!("{realm},service=\"a \\\"b\\\", c=d\"")], bearer(Some("a \"b\", c=d"), None));
    }

    #[test]
    fn a_token_is_better_than_a_password() {
        let realm = "Bearer realm=\"https://auth.example/token\"";
        check(&["Basic realm=\"x\"", realm], bearer(None, None));
        check(&[&format!("Basic realm=\"x\", charset=\"UTF-8\", {realm}")], bearer(None, None));
        check(&["basic"], Some(Challenge::Basic));
    }

    #[test]
    fn a_challenge_that_cannot_be_met_is_none() {
        for headers in [
            &[][..],
            &["Negotiate"],
            &["Bearer"],
            &["Bearer service=\"x\""],
            &["\u{7f}"[..0].as_ref()],
            &["=\"x\""],
        ] {
            check(headers, None);
        }
    }
}
