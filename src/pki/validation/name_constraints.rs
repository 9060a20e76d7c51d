//! Name constraints (RFC 5280 §4.2.1.10, §6.1.3 b and c, §6.1.4 g).

use std::net::{Ipv4Addr, Ipv6Addr};

use der::{ErrorKind, Tag};

use super::PathError;
use crate::limits::Budget;
use crate::pki::Certificate;
use crate::pki::chain::place;
use crate::pki::general_name::{Form, GeneralName};
use crate::pki::name::{CanonicalRdn, Name};
use crate::pki::tlv::{Cursor, constructed, only};

/// Subtrees in one extension. Real ones have up to a few hundred.
const MOST_SUBTREES: usize = 10_000;
/// Comparisons of a name with a subtree in one path.
const MOST_COMPARISONS: usize = 100_000;
const EMAIL_ADDRESS: &str = "1.2.840.113549.1.9.1";

/// `NameConstraints ::= SEQUENCE { permittedSubtrees [0] OPTIONAL, excludedSubtrees [1] OPTIONAL }`
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NameConstraints {
    permitted: Vec<Subtree>,
    excluded: Vec<Subtree>,
}

/// A base, prepared for comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Subtree {
    Directory(Vec<CanonicalRdn>),
    /// Lower case.
    Dns(String),
    /// What has an `@` is one mailbox.
    Email(String),
    /// A host, or with a leading point everything below one. Lower case.
    Uri(String),
    Ip {
        base: Vec<u8>,
        mask: Vec<u8>,
    },
    /// A form that cannot be compared, or a base that is malformed: a name of this form cannot be judged.
    Unusable(Form, &'static str),
}

impl NameConstraints {
    pub(super) fn parse(value: &[u8]) -> der::Result<Self> {
        let mut fields = Cursor::new(only(value, Tag::Sequence)?.value)?;
        let permitted = fields.optional(constructed(0))?.map(|field| read_subtrees(field.value)).transpose()?;
        let excluded = fields.optional(constructed(1))?.map(|field| read_subtrees(field.value)).transpose()?;
        fields.finish()?;
        Ok(Self { permitted: permitted.unwrap_or_default(), excluded: excluded.unwrap_or_default() })
    }
}

/// `GeneralSubtree ::= SEQUENCE { base GeneralName, minimum [0] DEFAULT 0, maximum [1] OPTIONAL }`; minimum must be 0 and
/// maximum absent, so nothing else may be there.
fn read_subtrees(content: &[u8]) -> der::Result<Vec<Subtree>> {
    let mut list = Cursor::new(content)?;
    let mut found = Vec::new();
    while found.is_empty() || !list.is_finished() {
        if found.len() >= MOST_SUBTREES {
            return Err(ErrorKind::Overlength.into());
        }
        let mut fields = list.enter(Tag::Sequence)?;
        let base = GeneralName::read(&fields.any()?)?;
        let subtree = if fields.is_finished() {
            Subtree::new(&base)
        } else {
            Subtree::Unusable(base.form(), "minimum and maximum are not supported")
        };
        found.push(subtree);
    }
    Ok(found)
}

impl Subtree {
    fn new(base: &GeneralName) -> Self {
        let form = base.form();
        match base {
            GeneralName::Directory(name) => Self::Directory(name.canonical()),
            GeneralName::Dns(host) => match dns(host) {
                Some(host) => Self::Dns(host),
                None => Self::Unusable(form, "its base is no domain name"),
            },
            GeneralName::Email(text) => match email_base(text) {
                Some(text) => Self::Email(text),
                None => Self::Unusable(form, "its base is no mailbox, host or domain"),
            },
            GeneralName::Uri(text) => match dns(text.strip_prefix('.').unwrap_or(text)) {
                Some(host) if !host.is_empty() => Self::Uri(text.to_ascii_lowercase()),
                _ => Self::Unusable(form, "its base is no host or domain"),
            },
            GeneralName::Ip(octets) => match ip_base(octets) {
                Some((base, mask)) => Self::Ip { base, mask },
                None => Self::Unusable(form, "its base is no address with a mask"),
            },
            GeneralName::Opaque(..) => Self::Unusable(form, "names of this form cannot be compared"),
        }
    }

    fn form(&self) -> Form {
        match self {
            Self::Directory(_) => Form::Directory,
            Self::Dns(_) => Form::Dns,
            Self::Email(_) => Form::Email,
            Self::Uri(_) => Form::Uri,
            Self::Ip { .. } => Form::Ip,
            Self::Unusable(form, _) => *form,
        }
    }
}

/// A domain name in lower case: labels of visible ASCII, none empty. The empty name is the whole of DNS.
fn dns(host: &str) -> Option<String> {
    let label = |label: &str| {
        !label.is_empty()
            && label.len() < 64
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    (host.is_empty() || host.split('.').all(label)).then(|| host.to_ascii_lowercase())
}

/// A mailbox, split at its only `@`: the part before it counts as it is written, the host in lower case.
fn mailbox(text: &str) -> Option<(&str, String)> {
    let (local, host) = text.split_once('@')?;
    let plain = !local.is_empty() && local.bytes().all(|b| b.is_ascii_graphic() && b != b'"');
    match dns(host) {
        Some(host) if plain && !host.is_empty() => Some((local, host)),
        _ => None,
    }
}

fn email_base(text: &str) -> Option<String> {
    if text.contains('@') {
        return mailbox(text).map(|(local, host)| format!("{local}@{host}"));
    }
    dns(text.strip_prefix('.').unwrap_or(text)).filter(|host| !host.is_empty()).map(|_| text.to_ascii_lowercase())
}

/// An address and a mask of as many octets, its ones in front.
fn ip_base(octets: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let half = match octets.len() {
        8 => 4,
        32 => 16,
        _ => return None,
    };
    let (base, mask) = octets.split_at_checked(half)?;
    let bits = mask.iter().fold(0_u128, |sum, octet| sum << 8 | u128::from(*octet)) << (128 - half * 8);
    let contiguous = bits.leading_ones() == bits.count_ones();
    contiguous.then(|| (base.to_vec(), mask.to_vec()))
}

/// A name that is held against many subtrees.
struct Candidate<'a> {
    name: &'a GeneralName,
    /// Of a directoryName: what is compared.
    canonical: Vec<CanonicalRdn>,
}

impl<'a> Candidate<'a> {
    fn new(name: &'a GeneralName) -> Self {
        let canonical = match name {
            GeneralName::Directory(name) => name.canonical(),
            _ => Vec::new(),
        };
        Self { name, canonical }
    }
}

/// Whether a name lies in a subtree; `Err` with the reason where that cannot be told.
fn lies_in(candidate: &Candidate<'_>, subtree: &Subtree) -> Result<bool, &'static str> {
    match (candidate.name, subtree) {
        (_, Subtree::Unusable(_, why)) => Err(why),
        (GeneralName::Directory(_), Subtree::Directory(base)) => Ok(candidate.canonical.starts_with(base)),
        (GeneralName::Dns(name), Subtree::Dns(base)) => {
            let host = name.strip_prefix("*.").unwrap_or(name);
            let host = dns(host).filter(|host| !host.is_empty()).ok_or("it is no domain name")?;
            Ok(below_or_same(&host, base))
        }
        (GeneralName::Email(name), Subtree::Email(base)) => {
            let (local, host) = mailbox(name).ok_or("it is no mailbox")?;
            Ok(match base.split_once('@') {
                Some((our_local, our_host)) => local == our_local && host == our_host,
                None => in_domain(&host, base),
            })
        }
        (GeneralName::Uri(name), Subtree::Uri(base)) => {
            let host = uri_host(name).ok_or("it names no host")?;
            Ok(in_domain(&host, base))
        }
        (GeneralName::Ip(octets), Subtree::Ip { base, mask }) => {
            if octets.len() != 4 && octets.len() != 16 {
                return Err("it is no address");
            }
            let same = |((ours, mask), theirs): ((&u8, &u8), &u8)| ours & mask == theirs & mask;
            Ok(octets.len() == base.len() && base.iter().zip(mask).zip(octets).all(same))
        }
        // The caller compares names of one form.
        _ => Err("it is of another form"),
    }
}

/// §4.2.1.10: any name that is made by adding labels in front.
fn below_or_same(host: &str, base: &str) -> bool {
    base.is_empty() || host == base || host.strip_suffix(base).is_some_and(|front| front.ends_with('.'))
}

/// A host is itself alone; `.domain` is everything below it.
fn in_domain(host: &str, base: &str) -> bool {
    if base.starts_with('.') { host.ends_with(base) && host.len() > base.len() } else { host == base }
}

/// The host of `scheme://[user@]host[:port][/…]`, in lower case. Addresses are no hosts (§4.2.1.10).
fn uri_host(uri: &str) -> Option<String> {
    let (_, rest) = uri.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let host = match host.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
        _ => host,
    };
    if host.parse::<Ipv4Addr>().is_ok() || host.parse::<Ipv6Addr>().is_ok() {
        return None;
    }
    dns(host).filter(|host| !host.is_empty())
}

/// `*.example.com` stands for names that an excluded `host.example.com` lies among, and only sometimes is one of them: what
/// might be forbidden is forbidden.
fn may_stand_for(name: &GeneralName, subtree: &Subtree) -> bool {
    let (GeneralName::Dns(name), Subtree::Dns(base)) = (name, subtree) else { return false };
    let Some(parent) = name.strip_prefix("*.") else { return false };
    base.strip_suffix(&parent.to_ascii_lowercase()).is_some_and(|front| front.ends_with('.'))
}

/// Unicode has several ways to write one text, and names are compared without normalising it: where that could hide a
/// name from an excluded subtree, it does not.
fn may_be_equivalent(candidate: &Candidate<'_>, subtree: &Subtree) -> bool {
    let Subtree::Directory(base) = subtree else { return false };
    let name = &candidate.canonical;
    name.len() >= base.len()
        && name.iter().zip(base).all(|(ours, theirs)| ours == theirs || !ours.is_ascii() || !theirs.is_ascii())
}

/// The constraints of all authorities of a path down to some certificate.
#[derive(Debug)]
pub(super) struct Constraints {
    /// One list an authority that has one: a name must lie in each of them.
    permitted: Vec<Vec<Subtree>>,
    excluded: Vec<Subtree>,
    budget: Budget,
}

impl Constraints {
    pub(super) fn new() -> Self {
        Self { permitted: Vec::new(), excluded: Vec::new(), budget: Budget::new(MOST_COMPARISONS) }
    }

    /// §6.1.4 g
    pub(super) fn add(&mut self, constraints: &NameConstraints) {
        if !constraints.permitted.is_empty() {
            self.permitted.push(constraints.permitted.clone());
        }
        self.excluded.extend(constraints.excluded.iter().cloned());
    }

    /// §6.1.3 b and c: the subject, its mail addresses, and every alternative name.
    pub(super) fn check(
        &mut self,
        certificate: &Certificate,
        names: &[GeneralName],
        position: usize,
    ) -> Result<(), PathError> {
        if self.permitted.is_empty() && self.excluded.is_empty() {
            return Ok(());
        }
        let subject = certificate.subject();
        let own = (!subject.is_empty()).then(|| GeneralName::Directory(subject.clone()));
        let addresses = mail_addresses(subject);
        for name in own.iter().chain(&addresses).chain(names) {
            let outcome =
                self.judge(name).map_err(|()| PathError::TooManyNames { place: place(position, certificate) })?;
            if let Some(why) = outcome {
                let name = name.describe();
                return Err(PathError::NameConstraints { place: place(position, certificate), name, why });
            }
        }
        Ok(())
    }

    /// What is wrong with a name; an error when too much was compared.
    fn judge(&mut self, name: &GeneralName) -> Result<Option<String>, ()> {
        let (form, candidate) = (name.form(), Candidate::new(name));
        for subtree in self.excluded.iter().filter(|subtree| subtree.form() == form) {
            if !self.budget.spend() {
                return Err(());
            }
            match lies_in(&candidate, subtree) {
                Err(why) => return Ok(Some(format!("cannot be held against the excluded names: {why}"))),
                Ok(true) => return Ok(Some("is among the names that an authority above excludes".into())),
                Ok(false) if may_stand_for(name, subtree) || may_be_equivalent(&candidate, subtree) => {
                    return Ok(Some("may be among the names that an authority above excludes".into()));
                }
                Ok(false) => {}
            }
        }
        for list in &self.permitted {
            let mut of_form = list.iter().filter(|subtree| subtree.form() == form).peekable();
            if of_form.peek().is_none() {
                continue;
            }
            let mut is_inside = false;
            for subtree in of_form {
                if !self.budget.spend() {
                    return Err(());
                }
                match lies_in(&candidate, subtree) {
                    Err(why) => return Ok(Some(format!("cannot be held against the permitted names: {why}"))),
                    Ok(inside) => is_inside |= inside,
                }
            }
            if !is_inside {
                return Ok(Some("is not among the names that an authority above permits".into()));
            }
        }
        Ok(None)
    }
}

/// §4.2.1.10: mailboxes that old certificates have in the subject. They count even beside a subjectAltName, because there are
/// programs that read them.
fn mail_addresses(subject: &Name) -> Vec<GeneralName> {
    let attributes = subject.rdns().iter().flatten();
    let addresses = attributes.filter(|attribute| attribute.oid.to_string() == EMAIL_ADDRESS);
    addresses.map(|attribute| GeneralName::Email(attribute.value.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(permitted: &[GeneralName], excluded: &[GeneralName], name: &GeneralName) -> bool {
        let prepare = |bases: &[GeneralName]| bases.iter().map(Subtree::new).collect::<Vec<_>>();
        let mut constraints = Constraints::new();
        constraints.add(&NameConstraints { permitted: prepare(permitted), excluded: prepare(excluded) });
        constraints.judge(name).unwrap().is_none()
    }

    fn dns_name(text: &str) -> GeneralName {
        GeneralName::Dns(text.into())
    }

    #[test]
    fn domain_names() {
        let inside = |base: &str, name: &str| judged(&[dns_name(base)], &[], &dns_name(name));
        for (base, name, good) in [
            ("example.com", "example.com", true),
            ("example.com", "A.b.EXAMPLE.com", true),
            ("example.com", "notexample.com", false),
            ("example.com", "com", false),
            ("", "anything.org", true),
            ("example.com", "*.example.com", true),
            ("a.example.com", "*.example.com", false),
            (".example.com", "a.example.com", false),
            ("*.example.com", "a.example.com", false),
            ("example.com", ".example.com", false),
            ("example.com", "a..example.com", false),
            ("example.com", "example.com.", false),
        ] {
            assert_eq!(inside(base, name), good, "{name:?} in {base:?}");
        }
        let outside = |base: &str, name: &str| judged(&[], &[dns_name(base)], &dns_name(name));
        assert!(!outside("example.com", "a.example.com"));
        assert!(!outside("a.example.com", "*.example.com"), "might stand for it");
        assert!(outside("a.example.com", "*.example.org"));
        assert!(outside("a.example.com", "example.com"));
    }

    #[test]
    fn mailboxes_and_hosts() {
        let mail = |text: &str| GeneralName::Email(text.into());
        let uri = |text: &str| GeneralName::Uri(text.into());
        for (base, name, good) in [
            ("a@example.com", "a@EXAMPLE.com", true),
            ("a@example.com", "A@example.com", false),
            ("*@example.com", "a@example.com", false),
            ("example.com", "a@example.com", true),
            ("example.com", "a@sub.example.com", false),
            (".example.com", "a@sub.example.com", true),
            (".example.com", "a@example.com", false),
            ("example.com", "a@b@example.com", false),
            ("a@b@example.com", "a@example.com", false),
            ("example.com", "\"x\"@example.com", false),
        ] {
            assert_eq!(judged(&[mail(base)], &[], &mail(name)), good, "{name:?} in {base:?}");
        }
        for (base, name, good) in [
            ("example.com", "https://example.com/x", true),
            ("example.com", "https://u:p@EXAMPLE.com:443?x", true),
            ("example.com", "https://a.example.com", false),
            (".example.com", "ftp://a.example.com", true),
            (".example.com", "ftp://example.com", false),
            ("example.com", "https://example.com@evil.org/", false),
            ("example.com", "urn:example.com", false),
            ("10.0.0.1", "https://10.0.0.1/", false),
        ] {
            assert_eq!(judged(&[uri(base)], &[], &uri(name)), good, "{name:?} in {base:?}");
        }
    }

    #[test]
    fn addresses_and_forms_without_a_comparison() {
        let ip = |octets: &[u8]| GeneralName::Ip(octets.to_vec());
        let net = ip(&[192, 0, 2, 0, 255, 255, 255, 0]);
        assert!(judged(std::slice::from_ref(&net), &[], &ip(&[192, 0, 2, 9])));
        assert!(!judged(std::slice::from_ref(&net), &[], &ip(&[192, 0, 3, 9])));
        assert!(!judged(std::slice::from_ref(&net), &[], &ip(&[0; 16])), "permitted addresses are of the other kind");
        assert!(!judged(&[], &[ip(&[192, 0, 2, 0])], &ip(&[10, 0, 0, 1])), "no mask");
        assert!(!judged(&[], &[ip(&[1, 2, 3, 4, 255, 0, 255, 0])], &ip(&[10, 0, 0, 1])), "a mask with holes");
        assert!(!judged(&[], &[ip(&[1, 2, 3, 4, 254, 128, 0, 0])], &ip(&[10, 0, 0, 1])), "a mask with holes");
        assert!(judged(&[], &[ip(&[1, 2, 3, 4, 255, 128, 0, 0])], &ip(&[10, 0, 0, 1])));
        let other = GeneralName::Opaque(crate::pki::general_name::OpaqueForm::Other, vec![1]);
        assert!(!judged(&[], std::slice::from_ref(&other), &other));
        assert!(judged(&[], std::slice::from_ref(&other), &dns_name("a.org")), "no name of the form is there");
    }
}
