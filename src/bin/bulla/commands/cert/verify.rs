//! `bulla cert verify LEAF`

use bulla::limits::Limits;
use bulla::ops::path::{InputError, LEAF_FILE, PathFiles, path_limits, verify_path};
use bulla::pki::WeakHashes;
use bulla::pki::validation::{AnchorRole, Duties, PathSettings, PolicyInputs, Purpose, RevocationMode};
use bulla::report::path::{PathReport, write_path};

use super::super::files::{read, read_named as named};
use crate::args::{AskRevocation, CertVerify, ForPurpose, Format};
use crate::error::{CommandError, Status};
use crate::terminal;

pub(super) fn run(arguments: &CertVerify) -> Result<Status, CommandError> {
    let limits = path_limits();
    let files = files(arguments, &limits)?;
    let settings = settings(arguments);
    let verdict = verify_path(&files, &settings, &limits).map_err(|error| named_leaf(error, arguments))?;
    let report = PathReport::new(&verdict, &settings);
    match arguments.output.format {
        Format::Json => terminal::print_json(&report)?,
        Format::Text => terminal::print(|out| write_path(&report, out))?,
    }
    Ok(if report.valid { Status::Done } else { Status::Rejected })
}

fn named_leaf(error: InputError, arguments: &CertVerify) -> InputError {
    if error.file == LEAF_FILE { InputError { file: arguments.leaf.display().to_string(), ..error } } else { error }
}

fn files(arguments: &CertVerify, limits: &Limits) -> Result<PathFiles, CommandError> {
    // PEM takes a third more room than what it holds, and headers.
    let crl_bytes = limits.crl_bytes.saturating_mul(3) / 2;
    Ok(PathFiles {
        leaf: read(&arguments.leaf, limits.certificate_bytes)?,
        trust_anchors: named(&arguments.trust_anchors, limits.certificate_bytes)?,
        untrusted: named(&arguments.untrusted, limits.certificate_bytes)?,
        crls: named(&arguments.crls, crl_bytes)?,
        ocsp: named(&arguments.ocsp, limits.ocsp_bytes.saturating_mul(2))?,
    })
}

fn settings(arguments: &CertVerify) -> PathSettings {
    PathSettings {
        purpose: match arguments.purpose {
            ForPurpose::CodeSigning => Purpose::CodeSigning,
            ForPurpose::Timestamping => Purpose::Timestamping,
            ForPurpose::ServerAuth => Purpose::ServerAuth,
            ForPurpose::ClientAuth => Purpose::ClientAuth,
            ForPurpose::Any => Purpose::Any,
        },
        policies: PolicyInputs {
            initial: arguments.initial_policies.iter().copied().collect(),
            require_explicit: arguments.require_explicit_policy,
            inhibit_mapping: arguments.inhibit_policy_mapping,
            inhibit_any: arguments.inhibit_any_policy,
        },
        anchor: if arguments.anchor_as_key { AnchorRole::NameAndKey } else { AnchorRole::Certificate },
        weak: if arguments.allow_sha1 { WeakHashes::Sha1Allowed } else { WeakHashes::Refused },
        revocation: match arguments.revocation {
            AskRevocation::Off => RevocationMode::Off,
            AskRevocation::Check => RevocationMode::Check,
            AskRevocation::Require => RevocationMode::Require,
        },
        duties: if arguments.strict_profile { Duties::Enforced } else { Duties::Reported },
        ..PathSettings::new(arguments.at.unwrap_or_else(terminal::now))
    }
}
