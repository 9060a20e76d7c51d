//! What became of evidence that was handed on, for people.

use std::io::{self, Write};

use super::tables::Clean;
use crate::evidence::notation_cache::{CacheEntry, NotationCache, Stored};
use crate::ops::evidence_export::{EvidenceExport, ExportedCrl};
use crate::time::UnixTime;

/// Writes what was done, each entry with the time until which it is current, as of `now`.
///
/// # Errors
/// Those of the writer.
pub fn write_evidence_export(
    export: &EvidenceExport,
    cache: &NotationCache,
    now: UnixTime,
    out: &mut dyn Write,
) -> io::Result<()> {
    for exported in &export.entries {
        write_entry(exported, cache, now, out)?;
    }
    for (digest, reason) in &export.left_out {
        writeln!(out, "left out  {digest}\n          {}", Clean(&reason.to_string()))?;
    }
    let written = export.entries.iter().filter(|exported| exported.stored == Stored::Written).count();
    writeln!(out, "{written} of {} entries written, {} CRLs left out", export.entries.len(), export.left_out.len())
}

fn write_entry(exported: &ExportedCrl, cache: &NotationCache, now: UnixTime, out: &mut dyn Write) -> io::Result<()> {
    let word = match &exported.stored {
        Stored::Written => "written",
        Stored::Present => "present",
        Stored::KeptNewer(_) | Stored::KeptForeign(_) => "kept",
    };
    let entry = &exported.entry;
    let issuer = entry.base.issuer().to_string();
    writeln!(out, "{word:<9} {}\n          {}", Clean(&exported.url), Clean(&issuer))?;
    match &exported.stored {
        Stored::Written | Stored::Present => {
            match (&entry.delta, entry.base.freshest_urls()) {
                (Some(_), _) => writeln!(out, "          with its delta CRL")?,
                (None, []) => {}
                (None, _) => {
                    writeln!(out, "          WITHOUT the delta CRL that it names: what was revoked since is not in it")?
                }
            }
            match entry.current_until() {
                Some(until) if until < now => {
                    writeln!(out, "          EXPIRED at {until}: Notation will pass over it and ask the network")?;
                }
                Some(until) => writeln!(out, "          current until {until}")?,
                None => writeln!(out, "          no nextUpdate: Notation will not use it")?,
            }
            writeln!(out, "          {}", Clean(&cache.path_of(&exported.url).display().to_string()))
        }
        Stored::KeptNewer(known) => write_newer(known, entry, out),
        Stored::KeptForeign(other) => {
            writeln!(out, "          the cache keeps that of another issuer: {}", Clean(other))
        }
    }
}

fn write_newer(known: &CacheEntry, carried: &CacheEntry, out: &mut dyn Write) -> io::Result<()> {
    let (newer, older) = (known.base.this_update(), carried.base.this_update());
    if newer > older {
        writeln!(out, "          the cache keeps a newer one: issued at {newer}, the carried one at {older}")
    } else if known.base == carried.base {
        writeln!(out, "          the cache keeps the same one with a newer delta CRL")
    } else {
        writeln!(
            out,
            "          the cache keeps a newer one: issued in the same second ({newer}) under a higher number"
        )
    }
}
