//! What the servers of authorities say to Notation, which asks them, where bulla is handed evidence: each address gives out the
//! one CRL, delta CRL or OCSP response of the case that is meant for it.

use std::collections::BTreeMap;
use std::fs;

use bulla::limits::Limits;
use bulla::pki::{Certificate, Crl, OcspResponse};

use crate::case::Case;
use crate::facts::folder;

/// What an address gives.
pub(super) struct Answer {
    pub(super) url: String,
    pub(super) content: Vec<u8>,
}

/// What lies beside the signature.
pub(super) struct Carried {
    pub(super) crls: Vec<Vec<u8>>,
    pub(super) ocsp: Vec<Vec<u8>>,
}

/// The certificates that Notation may ask about: the chain's, those inside the token, those of the trust stores.
pub(super) fn involved(case: &Case, chain: Vec<Vec<u8>>, token: &[u8], roots: Vec<Vec<u8>>) -> Vec<Certificate> {
    let mut found = [chain, roots].concat();
    for place in [folder().join("pki/certificates"), case.folder.clone()] {
        let files = fs::read_dir(place).unwrap().map(|entry| fs::read(entry.unwrap().path()).unwrap_or_default());
        found.extend(files.filter(|der| der.len() > 64 && token.windows(der.len()).any(|window| window == der)));
    }
    found.sort();
    found.dedup();
    found.iter().filter_map(|der| Certificate::from_der(der).ok()).collect()
}

/// A place where something can be asked for, and for which certificate.
struct Address<'a> {
    url: String,
    about: &'a Certificate,
}

/// Which address gives what. An error where the case has more than one server can say.
pub(super) fn answers(carried: &Carried, certificates: &[Certificate]) -> Result<Vec<Answer>, &'static str> {
    let mut found = BTreeMap::new();
    let (mut points, mut responders) = (Vec::new(), Vec::new());
    for about in certificates {
        let Ok(sources) = about.revocation_sources() else { continue };
        points.extend(sources.http_crl_urls().into_iter().map(|url| Address { url: url.to_owned(), about }));
        responders.extend(sources.http_ocsp_urls().into_iter().map(|url| Address { url: url.to_owned(), about }));
    }
    let crls: Vec<(&Vec<u8>, Option<Crl>)> =
        carried.crls.iter().map(|der| (der, Crl::from_der(der.clone()).ok())).collect();
    base_crls(&crls, &points, &mut found)?;
    delta_crls(&crls, certificates, &mut found)?;
    responses(&carried.ocsp, &responders, &mut found)?;
    Ok(found.into_iter().map(|(url, content)| Answer { url, content }).collect())
}

type Found = BTreeMap<String, Vec<u8>>;

/// A CRL lies where the certificates of its issuer say; one that names its own place, there. What nobody is sure to have meant,
/// because its issuer is another or it cannot be read, lies at the one address that has nothing better.
fn base_crls(crls: &[(&Vec<u8>, Option<Crl>)], points: &[Address<'_>], found: &mut Found) -> Result<(), &'static str> {
    let bases: Vec<_> = crls.iter().filter(|(_, crl)| crl.as_ref().is_none_or(|crl| !crl.is_delta())).collect();
    let mut placed = vec![false; bases.len()];
    for point in points {
        let names_it = |crl: &Crl| {
            let urls = crl.idp().map(|idp| idp.urls.as_slice()).unwrap_or_default();
            urls.is_empty() || urls.contains(&point.url)
        };
        let meant: Vec<usize> = (0..bases.len())
            .filter(|index| {
                bases[*index].1.as_ref().is_some_and(|crl| crl.issuer() == point.about.issuer() && names_it(crl))
            })
            .collect();
        match meant.as_slice() {
            [] => {}
            [one] => {
                placed[*one] = true;
                found.insert(point.url.clone(), bases[*one].0.clone());
            }
            _ => return Err("several CRLs, of which a server gives out one"),
        }
    }
    let left: Vec<_> = (0..bases.len()).filter(|index| !placed[*index]).collect();
    let mut empty: Vec<&str> =
        points.iter().map(|point| point.url.as_str()).filter(|url| !found.contains_key(*url)).collect();
    empty.dedup();
    match (left.as_slice(), empty.as_slice()) {
        ([], _) | (_, []) => Ok(()),
        ([one], [url]) => {
            found.insert((*url).to_owned(), bases[*one].0.clone());
            Ok(())
        }
        _ => Err("CRLs that belong to no address"),
    }
}

/// Delta CRLs lie where their base says, or the certificate.
fn delta_crls(
    crls: &[(&Vec<u8>, Option<Crl>)],
    certificates: &[Certificate],
    found: &mut Found,
) -> Result<(), &'static str> {
    let deltas: Vec<(&Vec<u8>, &Crl)> =
        crls.iter().filter_map(|(der, crl)| Some((*der, crl.as_ref().filter(|crl| crl.is_delta())?))).collect();
    let of_bases = crls.iter().filter_map(|(_, crl)| crl.as_ref()).filter(|crl| !crl.is_delta());
    let mut places: Vec<(String, &bulla::pki::Name)> = of_bases
        .flat_map(|crl| crl.http_freshest_urls().into_iter().map(|url| (url.to_owned(), crl.issuer())))
        .collect();
    for certificate in certificates {
        let Ok(sources) = certificate.revocation_sources() else { continue };
        places.extend(sources.http_freshest_urls().into_iter().map(|url| (url.to_owned(), certificate.issuer())));
    }
    for (url, issuer) in places {
        let meant: Vec<_> = deltas.iter().filter(|(_, delta)| delta.issuer() == issuer).collect();
        match meant.as_slice() {
            [] => {}
            [(der, _)] => drop(found.insert(url, (*der).clone())),
            _ => return Err("several delta CRLs, of which a server gives out one"),
        }
    }
    Ok(())
}

/// A responder gives the answer that speaks of the certificate which names it, or else the one that cannot be read or speaks of
/// no certificate here.
fn responses(carried: &[Vec<u8>], responders: &[Address<'_>], found: &mut Found) -> Result<(), &'static str> {
    let read: Vec<_> = carried.iter().map(|der| OcspResponse::from_der(der.clone(), &Limits::default()).ok()).collect();
    let speaks = |index: usize, address: &Address<'_>| {
        read[index].as_ref().is_some_and(|response| response.serials().any(|serial| serial == address.about.serial()))
    };
    let stray = |index: &usize| !responders.iter().any(|address| speaks(*index, address));
    let strays: Vec<usize> = (0..carried.len()).filter(stray).collect();
    for address in responders {
        let meant: Vec<usize> = (0..carried.len()).filter(|index| speaks(*index, address)).collect();
        let answer = match (meant.as_slice(), strays.as_slice()) {
            ([], []) => continue,
            ([one], _) | ([], [one]) => &carried[*one],
            _ => return Err("several OCSP responses, of which a responder gives one"),
        };
        if found.insert(address.url.clone(), answer.clone()).is_some_and(|other| other != *answer) {
            return Err("one responder for two certificates");
        }
    }
    Ok(())
}
