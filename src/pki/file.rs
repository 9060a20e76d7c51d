//! Certificate and CRL files: PEM (RFC 7468) or DER.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use der::Tag;

use super::tlv::Cursor;
use super::{Certificate, CertificateError, Crl, CrlError, OcspError};
use crate::limits::Limits;

const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";
const DASHES: &str = "-----";

/// The certificates of a file: PEM if it holds any PEM block (then every block must be a certificate, whatever its label),
/// otherwise DER, one behind the other. Never empty (conformance 6.06).
///
/// # Errors
/// No certificate, anything else among the blocks or behind the DER, or more than the limits allow.
pub fn certificates_from_file(bytes: &[u8], limits: &Limits) -> Result<Vec<Certificate>, CertificateError> {
    let encodings = certificate_encodings(bytes, limits)?;
    let read = |(index, der): (usize, &Vec<u8>)| {
        let position = index.saturating_add(1);
        Certificate::from_der(der).map_err(|source| CertificateError::InFile { position, source: Box::new(source) })
    };
    encodings.iter().enumerate().map(read).collect()
}

/// The DER of the certificates of a file, none of them looked into: PEM if it holds any PEM block, otherwise DER, one behind
/// the other. Never empty.
///
/// # Errors
/// No certificate, no frame of DER or PEM, or more than the limits allow.
pub fn certificate_encodings(bytes: &[u8], limits: &Limits) -> Result<Vec<Vec<u8>>, CertificateError> {
    let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    if size > limits.certificate_bytes {
        return Err(CertificateError::TooLarge { size, limit: limits.certificate_bytes });
    }
    let encodings = match pem_blocks(bytes).map_err(|block| CertificateError::Pem { block })? {
        blocks if blocks.is_empty() => concatenated(bytes)?,
        blocks => blocks.into_iter().map(|block| block.der).collect(),
    };
    if encodings.is_empty() {
        return Err(CertificateError::NoCertificate);
    }
    if encodings.len() > limits.certificates {
        return Err(CertificateError::TooMany { what: "certificates in one file", limit: limits.certificates });
    }
    Ok(encodings)
}

/// The DER of the CRLs of a file, none of them looked into: PEM blocks `X509 CRL`, or one DER value. Never empty.
///
/// # Errors
/// No CRL, anything else among the blocks, no frame of DER or PEM, or more than the limits allow.
pub fn crl_encodings(bytes: &[u8], limits: &Limits) -> Result<Vec<Vec<u8>>, CrlError> {
    // PEM takes a third more room, and headers.
    let limit = limits.crl_bytes.saturating_mul(3) / 2;
    let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    if size > limit {
        return Err(CrlError::TooLarge { size, limit });
    }
    let found = labelled(bytes, "X509 CRL").map_err(|block| CrlError::Pem { block })?;
    if found.is_empty() {
        return Err(CrlError::NoCrl);
    }
    if found.len() > limits.certificates {
        return Err(CrlError::TooMany { limit: limits.certificates });
    }
    for der in &found {
        let size = u64::try_from(der.len()).unwrap_or(u64::MAX);
        if size > limits.crl_bytes {
            return Err(CrlError::TooLarge { size, limit: limits.crl_bytes });
        }
    }
    Ok(found)
}

/// The DER of the OCSP responses of a file, none of them looked into: PEM blocks `OCSP RESPONSE`, or one DER value. Never
/// empty.
///
/// # Errors
/// Nothing there, anything else among the blocks, or more than the limits allow.
pub fn ocsp_encodings(bytes: &[u8], limits: &Limits) -> Result<Vec<Vec<u8>>, OcspError> {
    let limit = limits.ocsp_bytes.saturating_mul(2);
    let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    if size > limit {
        return Err(OcspError::TooLarge { size, limit });
    }
    let found =
        labelled(bytes, "OCSP RESPONSE").map_err(|_| OcspError::from(der::Error::from(Tag::Sequence.value_error())))?;
    match found.len() {
        0 => Err(der::Error::from(Tag::Sequence.length_error()).into()),
        count if count > limits.certificates => {
            Err(OcspError::TooMany { what: "responses", limit: limits.certificates })
        }
        _ => Ok(found),
    }
}

/// The DER of a file that holds one value: its PEM block, whatever the label, or the file as it is.
///
/// # Errors
/// The number of the first PEM block that is malformed or one too many.
pub fn single_encoding(bytes: &[u8]) -> Result<Vec<u8>, usize> {
    let mut blocks = pem_blocks(bytes)?;
    match (blocks.pop(), blocks.len()) {
        (None, _) => Ok(bytes.to_vec()),
        (Some(block), 0) => Ok(block.der),
        (Some(_), _) => Err(2),
    }
}

/// PEM blocks that must all have that label, or the file as it is; an empty file holds nothing.
fn labelled(bytes: &[u8], label: &str) -> Result<Vec<Vec<u8>>, usize> {
    let blocks = pem_blocks(bytes)?;
    if let Some(index) = blocks.iter().position(|block| block.label != label) {
        return Err(index.saturating_add(1));
    }
    if blocks.is_empty() && !bytes.is_empty() {
        return Ok(vec![bytes.to_vec()]);
    }
    Ok(blocks.into_iter().map(|block| block.der).collect())
}

/// The DER of the CRLs of a file: PEM blocks `X509 CRL`, or one DER CRL. Never empty.
///
/// # Errors
/// No CRL, anything else among the blocks or behind the DER, or more than the limits allow.
pub fn crls_from_file(bytes: &[u8], limits: &Limits) -> Result<Vec<Vec<u8>>, CrlError> {
    let found = crl_encodings(bytes, limits)?;
    for der in &found {
        Crl::from_der(der.as_slice())?;
    }
    Ok(found)
}

struct Block {
    label: String,
    der: Vec<u8>,
}

/// Every PEM block of a text, or the number of the malformed one. No block at all if it is no text.
fn pem_blocks(bytes: &[u8]) -> Result<Vec<Block>, usize> {
    let mut blocks = Vec::new();
    let mut open: Option<(String, String)> = None;
    for line in bytes.split(|byte| *byte == b'\n') {
        let number = blocks.len().saturating_add(1);
        let line = std::str::from_utf8(line).unwrap_or("\u{fffd}").trim_end();
        match (label_of(line, BEGIN), label_of(line, END), open.take()) {
            (Some(label), _, None) => open = Some((label.to_owned(), String::new())),
            (None, None, None) => {}
            (None, Some(end), Some((label, body))) if end == label => {
                let der = STANDARD.decode(body).map_err(|_| number)?;
                blocks.push(Block { label, der });
            }
            (None, None, Some((label, mut body))) => {
                // RFC 1421 headers may come first and are not needed.
                if !line.contains(':') {
                    body.extend(line.split_ascii_whitespace());
                }
                open = Some((label, body));
            }
            _ => return Err(number),
        }
    }
    if open.is_some() { Err(blocks.len().saturating_add(1)) } else { Ok(blocks) }
}

fn label_of<'a>(line: &'a str, prefix: &str) -> Option<&'a str> {
    line.strip_prefix(prefix)?.strip_suffix(DASHES)
}

fn concatenated(bytes: &[u8]) -> der::Result<Vec<Vec<u8>>> {
    let mut cursor = Cursor::new(bytes)?;
    let mut found = Vec::new();
    while !cursor.is_finished() {
        found.push(cursor.expect(Tag::Sequence)?.raw.to_vec());
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(text: &str) -> Result<Vec<String>, usize> {
        Ok(pem_blocks(text.as_bytes())?.into_iter().map(|block| block.label).collect())
    }

    #[test]
    fn blocks_are_found_between_other_text() {
        let text = "subject=x\r\n-----BEGIN A-----\r\nQU\r\nJD\r\n-----END A-----\r\n\ntext\n-----BEGIN B C-----\nProc-Type: 4\n\nQQ==\n-----END B C-----";
        let blocks = pem_blocks(text.as_bytes()).unwrap();
        assert_eq!(blocks.iter().map(|block| block.der.as_slice()).collect::<Vec<_>>(), [&b"ABC"[..], b"A"]);
        assert_eq!(labels(text).unwrap(), ["A", "B C"]);
        assert!(labels("no block").unwrap().is_empty());
    }

    #[test]
    fn malformed_blocks_are_no_der() {
        for (text, block) in [
            ("-----BEGIN A-----\nQUJD\n", 1),
            ("-----BEGIN A-----\nQUJD\n-----END B-----\n", 1),
            ("-----END A-----\n", 1),
            ("-----BEGIN A-----\nQUJD\n-----END A-----\n-----BEGIN A-----\nQ*JD\n-----END A-----\n", 2),
            ("-----BEGIN A-----\nQUJD\n-----BEGIN A-----\nQUJD\n-----END A-----\n", 1),
            ("-----BEGIN A-----\n\u{fffd}\n-----END A-----\n", 1),
        ] {
            assert_eq!(labels(text), Err(block), "{text}");
        }
    }

    #[test]
    fn empty_and_foreign_files_are_refused() {
        let limits = Limits::default();
        assert_eq!(certificates_from_file(b"", &limits), Err(CertificateError::NoCertificate));
        assert!(certificates_from_file(b"hello", &limits).is_err());
        assert!(certificates_from_file(&[0x30, 0, 0x30, 0], &limits).is_err());
        assert_eq!(crls_from_file(b"", &limits), Err(CrlError::NoCrl));
        assert_eq!(
            crls_from_file(b"-----BEGIN CERTIFICATE-----\nQUJD\n-----END CERTIFICATE-----\n", &limits),
            Err(CrlError::Pem { block: 1 })
        );
    }
}
