//! The hosts that the page may fetch from, according to its content security policy.

/// Returns whether `policy` lets a page of the origin `own` fetch from `origin` ("https://huggingface.co"). A page
/// without a policy may fetch from anywhere.
pub fn may_fetch(policy: Option<&str>, own: &str, origin: &str) -> bool {
    let Some(policy) = policy else { return true };
    let directive = |name: &str| {
        let mut directives = policy.split(';').map(str::trim);
        directives.find_map(|directive| directive.strip_prefix(name)?.strip_prefix(' '))
    };
    let Some(sources) = directive("connect-src").or_else(|| directive("default-src")) else { return true };
    sources.split_whitespace().any(|source| match source {
        "'self'" => origin == own,
        "*" => true,
        source => matches(source, origin),
    })
}

/// Returns whether a source ("https://*.hf.co", "https://huggingface.co", "http://localhost:*") names an origin.
fn matches(source: &str, origin: &str) -> bool {
    if let Some(host) = source.strip_suffix(":*") {
        let is_port = |rest: &str| {
            rest.is_empty() || rest.strip_prefix(':').is_some_and(|port| port.chars().all(|c| c.is_ascii_digit()))
        };
        return origin.strip_prefix(host).is_some_and(is_port);
    }
    match source.split_once("*.") {
        None => source.trim_end_matches('/') == origin,
        Some((scheme, domain)) => origin
            .strip_prefix(scheme)
            .and_then(|host| host.strip_suffix(domain))
            .is_some_and(|subdomain| subdomain.len() > 1 && subdomain.ends_with('.')),
    }
}

/// Returns the hosts that `policy` names besides the page's own host.
pub fn hosts(policy: &str) -> Vec<&str> {
    let connect = policy.split(';').find_map(|directive| directive.trim().strip_prefix("connect-src "));
    let sources = connect.unwrap_or_default().split_whitespace();
    sources.filter_map(|source| source.split_once("://").map(|(_, host)| host.trim_end_matches('/'))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: &str = "default-src 'none'; connect-src 'self' blob: data: https://huggingface.co https://*.hf.co \
                          http://localhost:*; img-src 'self'";
    const OWN: &str = "https://lamp.example";

    #[test]
    fn the_pages_own_and_the_named_hosts_are_allowed() {
        for origin in
            [OWN, "https://huggingface.co", "https://cdn-lfs.hf.co", "http://localhost:81", "http://localhost"]
        {
            assert!(may_fetch(Some(POLICY), OWN, origin), "{origin}");
        }
        assert_eq!(hosts(POLICY), ["huggingface.co", "*.hf.co", "localhost:*"]);
    }

    #[test]
    fn other_hosts_are_refused() {
        for origin in [
            "https://example.org",
            "http://huggingface.co",
            "https://huggingface.co.evil.example",
            "https://hf.co",
            "https://xhf.co",
            "https://.hf.co",
            "https://localhost:81",
            "http://localhost.evil.example",
            "",
        ] {
            assert!(!may_fetch(Some(POLICY), OWN, origin), "{origin}");
        }
        assert!(!may_fetch(Some("default-src 'none'"), OWN, OWN));
        assert!(
            may_fetch(None, OWN, "https://example.org") && may_fetch(Some("img-src x"), OWN, "https://a.example")
        );
    }
}
