//! Addresses: reading, comparing, and showing them without what may be secret in them (RFC 3986, RFC 6454).

use std::net::IpAddr;

use ureq::http::Uri;
use ureq::http::uri::Scheme;

use super::HttpError;
use crate::digest::shorten;

/// Reads an absolute http or https address without user and password.
pub(super) fn parse(text: &str) -> Result<Uri, HttpError> {
    let refused = || HttpError::Url { url: shown_text(text) };
    let uri: Uri = text.parse().map_err(|_| refused())?;
    let known = uri.scheme().is_some_and(|scheme| *scheme == Scheme::HTTP || *scheme == Scheme::HTTPS);
    let plain =
        uri.authority().is_some_and(|authority| !authority.as_str().contains('@') && !authority.host().is_empty());
    if known && plain { Ok(uri) } else { Err(refused()) }
}

/// The address that `reference` means in an answer from `base` (RFC 3986 §5, without dot segments).
pub(crate) fn resolve(base: &Uri, reference: &str) -> Option<Uri> {
    let scheme = base.scheme_str()?;
    let authority = base.authority()?;
    let reference = reference.trim().split('#').next()?;
    let text = if reference.starts_with("//") {
        format!("{scheme}:{reference}")
    } else if reference.starts_with('/') {
        format!("{scheme}://{authority}{reference}")
    } else if reference.starts_with('?') {
        format!("{scheme}://{authority}{}{reference}", base.path())
    } else if reference.contains("://") && !reference.starts_with("://") {
        reference.to_owned()
    } else {
        let folder = base.path().rsplit_once('/').map_or("", |(folder, _)| folder);
        format!("{scheme}://{authority}{folder}/{reference}")
    };
    parse(&text).ok()
}

/// Scheme, host and port: what an authorization is for.
pub(crate) fn origin(uri: &Uri) -> (String, String, u16) {
    let scheme = uri.scheme_str().unwrap_or_default().to_ascii_lowercase();
    let port = uri.port_u16().unwrap_or(if scheme == "https" { 443 } else { 80 });
    (scheme, uri.host().unwrap_or_default().to_ascii_lowercase(), port)
}

/// The address without user, password and query.
pub(crate) fn shown(uri: &Uri) -> String {
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    shorten(&format!("{}://{host}{}", uri.scheme_str().unwrap_or_default(), uri.path()))
}

/// The same for what may not be an address at all.
pub(super) fn shown_text(text: &str) -> String {
    match text.parse::<Uri>() {
        Ok(uri) if uri.authority().is_some() => shown(&uri),
        _ => shorten(text.split(['?', '#']).next().unwrap_or_default()),
    }
}

/// Everything but unreserved characters, as `%XX`.
pub(crate) fn percent_encode(text: &str) -> String {
    use std::fmt::Write as _;
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            other => {
                let _ = write!(out, "%{other:02X}");
            }
        }
    }
    out
}

/// Whether a host, without its port, is this machine.
pub(crate) fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_resolve_against_their_base() {
        let base = parse("https://r.example:5000/v2/a/uploads/?x=1").unwrap();
        for (reference, expected) in [
            ("/v2/b?c=d", "https://r.example:5000/v2/b?c=d"),
            ("https://other.example/z", "https://other.example/z"),
            ("//other.example/z", "https://other.example/z"),
            ("?page=2", "https://r.example:5000/v2/a/uploads/?page=2"),
            ("next", "https://r.example:5000/v2/a/uploads/next"),
            ("/a#b", "https://r.example:5000/a"),
        ] {
            assert_eq!(resolve(&base, reference).unwrap().to_string(), expected);
        }
        for bad in ["ftp://x/y", "http://user:pass@x/", "http://", "/a b", "/\u{7f}"] {
            assert!(resolve(&base, bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn what_is_shown_holds_no_secret() {
        let uri: Uri = "https://me:secret@h.example/p?X-Amz-Signature=secret".parse().unwrap();
        assert_eq!(shown(&uri), "https://h.example/p");
        assert_eq!(shown_text("https://me:secret@h.example/p?secret"), "https://h.example/p");
    }

    #[test]
    fn origins_know_the_default_port() {
        let of = |text: &str| origin(&parse(text).unwrap());
        assert_eq!(of("https://A.example/x"), of("https://a.example:443/y"));
        assert_ne!(of("https://a.example"), of("http://a.example"));
        assert_ne!(of("http://a.example"), of("http://a.example:8080"));
    }

    #[test]
    fn encoding_leaves_nothing_special() {
        assert_eq!(percent_encode("repository:a/b:pull,push"), "repository%3Aa%2Fb%3Apull%2Cpush");
        assert_eq!(percent_encode("ü &"), "%C3%BC%20%26");
    }

    #[test]
    fn loopback_is_a_name_or_an_address() {
        // Conformance 1.33: there HTTP is spoken unasked.
        for host in ["localhost", "LOCALHOST", "127.0.0.1", "127.9.9.9", "[::1]", "::1"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["localhost.example", "10.0.0.1", "[::2]", ""] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
