//! Which proxy stands before a server: the well-known variables, read by whoever owns the environment.

use std::fmt;
use std::net::IpAddr;

use ureq::Proxy;
use ureq::http::Uri;

use super::HttpError;
use super::url::{is_loopback, origin};

/// The proxies for each scheme, and what goes without. The machine itself is never asked through a proxy.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ProxySettings {
    /// For `http` addresses.
    pub http: Option<String>,
    /// For `https` addresses.
    pub https: Option<String>,
    /// Comma-separated: `*`, names (which cover what lies below them), `.suffixes`, addresses, networks (`10.0.0.0/8`),
    /// each but a network with an optional `:port`.
    pub no_proxy: String,
}

impl fmt::Debug for ProxySettings {
    /// A proxy's address may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProxySettings")
            .field("http", &self.http.is_some())
            .field("https", &self.https.is_some())
            .field("no_proxy", &self.no_proxy)
            .finish()
    }
}

impl ProxySettings {
    /// Reads `http_proxy`, `https_proxy`, `all_proxy` and `no_proxy`, in lower or upper case, from `variable`.
    pub fn from_env(variable: impl Fn(&str) -> Option<String>) -> Self {
        let either = |name: &str| {
            let set = |name: &str| variable(name).filter(|value| !value.is_empty());
            set(name).or_else(|| set(&name.to_ascii_uppercase()))
        };
        let all = either("all_proxy");
        Self {
            http: either("http_proxy").or_else(|| all.clone()),
            https: either("https_proxy").or(all),
            no_proxy: either("no_proxy").unwrap_or_default(),
        }
    }

    /// The proxy for `uri`, if it goes through one.
    pub(super) fn find(&self, uri: &Uri) -> Result<Option<Proxy>, HttpError> {
        let (scheme, host, port) = origin(uri);
        let (scheme, text) = match scheme.as_str() {
            "https" => ("https", &self.https),
            _ => ("http", &self.http),
        };
        let Some(text) = text else { return Ok(None) };
        if is_loopback(&host) || self.bypasses(&host, port) {
            return Ok(None);
        }
        Proxy::new(text).map(Some).map_err(|_| HttpError::Proxy { scheme })
    }

    fn bypasses(&self, host: &str, port: u16) -> bool {
        let host = host.trim_start_matches('[').trim_end_matches(']');
        self.no_proxy.split(',').map(str::trim).filter(|entry| !entry.is_empty()).any(|entry| covers(entry, host, port))
    }
}

fn covers(entry: &str, host: &str, port: u16) -> bool {
    if entry == "*" {
        return true;
    }
    if let Some((network, bits)) = entry.split_once('/') {
        let parsed = (network.parse::<IpAddr>(), bits.parse::<u32>(), host.parse::<IpAddr>());
        return matches!(parsed, (Ok(network), Ok(bits), Ok(host)) if in_network(network, bits, host));
    }
    let (name, wanted) = match entry.rsplit_once(':') {
        Some((name, number)) if !name.contains(':') || name.ends_with(']') => (name, number.parse::<u16>().ok()),
        _ => (entry, None),
    };
    if wanted.is_some_and(|wanted| wanted != port) {
        return false;
    }
    let name = name.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
    let below = |suffix: &str| host.strip_suffix(suffix).is_some_and(|rest| rest.ends_with('.') && rest.len() > 1);
    match name.strip_prefix("*.").or_else(|| name.strip_prefix('.')) {
        Some(suffix) => below(suffix),
        None => host == name || below(&name),
    }
}

fn in_network(network: IpAddr, bits: u32, host: IpAddr) -> bool {
    match (network, host) {
        (IpAddr::V4(network), IpAddr::V4(host)) => {
            let mask = u32::MAX.checked_shl(32_u32.saturating_sub(bits)).unwrap_or(0);
            bits <= 32 && network.to_bits() & mask == host.to_bits() & mask
        }
        (IpAddr::V6(network), IpAddr::V6(host)) => {
            let mask = u128::MAX.checked_shl(128_u32.saturating_sub(bits)).unwrap_or(0);
            bits <= 128 && network.to_bits() & mask == host.to_bits() & mask
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(no_proxy: &str) -> ProxySettings {
        ProxySettings {
            http: Some("http://proxy.example:3128".into()),
            https: Some("http://user:pw@tls-proxy.example".into()),
            no_proxy: no_proxy.into(),
        }
    }

    fn proxied(no_proxy: &str, url: &str) -> bool {
        settings(no_proxy).find(&url.parse().unwrap()).unwrap().is_some()
    }

    #[test]
    fn no_proxy_names_suffixes_addresses_networks_and_ports() {
        assert!(proxied("", "https://r.example/v2/"));
        for (entry, url) in [
            ("*", "https://r.example/"),
            ("a.test, r.example", "https://R.example/"),
            ("example", "https://r.example/"),
            (".example", "https://r.example/"),
            ("*.example", "https://r.example/"),
            ("r.example:5000", "https://r.example:5000/"),
            ("10.1.2.3", "http://10.1.2.3/"),
            ("10.0.0.0/8", "http://10.200.0.1:8080/"),
            ("fd00::/8", "http://[fd12::1]/"),
        ] {
            assert!(!proxied(entry, url), "{entry} {url}");
        }
        for (entry, url) in [
            ("xample", "https://r.example/"),
            (".r.example", "https://r.example/"),
            ("r.example:5000", "https://r.example/"),
            ("10.0.0.0/8", "http://11.0.0.1/"),
            ("10.0.0.0/99", "http://11.0.0.1/"),
        ] {
            assert!(proxied(entry, url), "{entry} {url}");
        }
        assert!(!proxied("", "http://127.0.0.1:5000/"));
        assert!(!proxied("", "http://localhost:5000/"));
    }

    #[test]
    fn variables_in_lower_case_win_and_passwords_stay_hidden() {
        let found = ProxySettings::from_env(|name| match name {
            "HTTP_PROXY" => Some("http://upper".into()),
            "http_proxy" => Some("http://lower".into()),
            "ALL_PROXY" => Some("http://u:secret@all".into()),
            "NO_PROXY" => Some("x".into()),
            _ => None,
        });
        assert_eq!(found.http.as_deref(), Some("http://lower"));
        assert_eq!(found.https.as_deref(), Some("http://u:secret@all"));
        assert_eq!(found.no_proxy, "x");
        assert!(!format!("{found:?}").contains("secret"));
        let bad = ProxySettings { http: Some("::".into()), ..Default::default() };
        assert!(matches!(bad.find(&"http://h/".parse().unwrap()), Err(HttpError::Proxy { scheme: "http" })));
    }
}
