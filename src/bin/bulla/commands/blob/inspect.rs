//! `bulla blob inspect SIGNATURE`

use bulla::limits::Limits;
use bulla::notary::SignatureEnvelope;
use bulla::oci::MediaType;
use bulla::ops::blob::signature_format;
use bulla::ops::listing::SignatureDetails;
use bulla::report::signatures::{SignatureDocument, go_json, write_signature};

use super::{name_of, read_signature};
use crate::args::SignatureView;
use crate::args::blob::BlobInspect;
use crate::error::{CommandError, Status};
use crate::terminal;

pub(crate) fn run(arguments: &BlobInspect) -> Result<Status, CommandError> {
    let limits = Limits::default();
    let kind = signature_format(&name_of(&arguments.signature))?;
    let bytes = read_signature(&arguments.signature, &limits)?;
    let envelope = SignatureEnvelope::parse(&MediaType::new(kind.media_type()), &bytes, &limits)?;
    let details = SignatureDetails::of(None, envelope, &limits)
        .map_err(|failure| CommandError::new(failure.code, failure.message))?;
    let document = SignatureDocument::new(&details);
    match arguments.output {
        SignatureView::Json => {
            let text = go_json(&document)?;
            terminal::print(|out| out.write_all(&text))?;
        }
        SignatureView::Tree | SignatureView::Text => {
            terminal::print(|out| write_signature(&arguments.signature.display().to_string(), &document, out))?;
        }
    }
    Ok(Status::Done)
}
