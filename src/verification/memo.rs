//! What the signatures of one verification share: certificates read once, and one account of what evidence has cost.
//!
//! Results do not depend on it. Certificates, CRLs and OCSP responses each remember their own signature checks; sharing
//! the objects is what makes a check happen once.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use super::Failure;
use crate::code::DiagnosticCode;
use crate::digest::Digest;
use crate::limits::Limits;
use crate::pki::{Certificate, CertificatePool};
use crate::tsp::TokenCost;

/// What the signatures of one verification share. Make one, read every envelope through its pool, and judge with it.
#[derive(Debug)]
pub struct Memo {
    pool: CertificatePool,
    tries: EvidenceTries,
}

impl Memo {
    /// A memo for one verification.
    pub fn new(limits: &Limits) -> Self {
        Self { pool: CertificatePool::default(), tries: EvidenceTries::new(limits) }
    }

    /// Where certificates are read.
    pub const fn pool(&self) -> &CertificatePool {
        &self.pool
    }

    /// What evidence has cost so far.
    pub const fn tries(&self) -> &EvidenceTries {
        &self.tries
    }

    /// The same certificates, and a new account: for judging once more, in another order.
    #[must_use]
    pub fn with_new_account(self, limits: &Limits) -> Self {
        Self { tries: EvidenceTries::new(limits), ..self }
    }
}

/// How many signatures on evidence are checked: for one certificate, and in one verification. Each piece of evidence counts
/// once for each issuer that it is tried under, however many certificates it speaks of. So does each certificate of a
/// timestamp authority; a token's own signature counts whenever it is checked.
#[derive(Debug)]
pub struct EvidenceTries {
    account: Mutex<Account>,
    each: usize,
    most: usize,
    exceeded: AtomicBool,
}

#[derive(Debug, Default)]
struct Account {
    known: HashSet<(Digest, Digest)>,
    spent: usize,
}

impl EvidenceTries {
    /// A new account within [`Limits::evidence_tries`] and [`Limits::all_evidence_tries`].
    pub fn new(limits: &Limits) -> Self {
        let (each, most) = (limits.evidence_tries, limits.all_evidence_tries);
        Self { account: Mutex::default(), each, most, exceeded: AtomicBool::new(false) }
    }

    /// How many pieces of one kind are tried for one certificate.
    pub const fn each(&self) -> usize {
        self.each
    }

    /// How many are tried in all.
    pub const fn most(&self) -> usize {
        self.most
    }

    /// How many signature checks were accounted for.
    pub fn spent(&self) -> usize {
        self.account.lock().unwrap_or_else(PoisonError::into_inner).spent
    }

    /// Whether something was not tried because too much was tried before. What that was depends on the order of the work.
    pub fn is_exceeded(&self) -> bool {
        self.exceeded.load(Ordering::Relaxed)
    }

    /// Whether a timestamp token may be tried. What it costs is known afterwards, and bounded for each: see [`Self::charge`].
    pub(super) fn has_room(&self) -> bool {
        let has_room = self.spent() < self.most;
        if !has_room {
            self.exceeded.store(true, Ordering::Relaxed);
        }
        has_room
    }

    /// Accounts for a token that was tried. Whether that was too much depends on the sum of all, and not on which came last.
    pub(super) fn charge(&self, cost: &TokenCost) {
        let mut account = self.account.lock().unwrap_or_else(PoisonError::into_inner);
        let new = cost.certificates.iter().filter(|check| account.known.insert((check.signed, check.signer))).count();
        account.spent = account.spent.saturating_add(new).saturating_add(cost.signers);
        if account.spent > self.most {
            self.exceeded.store(true, Ordering::Relaxed);
        }
    }

    /// Why `what` was not tried, where there was no room.
    pub(super) fn flood(&self, what: &str) -> Failure {
        let message = format!("{what}: the signatures of {} pieces of evidence had been checked before", self.most);
        let hint =
            "somebody may have flooded the bundle with revocation data or timestamps; verify its artifacts one by one";
        Failure::new(DiagnosticCode::EvidenceFlood, message).with_hint(hint)
    }

    /// Whether `piece` may be tried under `issuer` at that cost in signature checks; if so, it is accounted for.
    pub(super) fn admit(&self, piece: Digest, issuer: &Certificate, cost: usize) -> bool {
        let mut account = self.account.lock().unwrap_or_else(PoisonError::into_inner);
        let pair = (piece, issuer.fingerprint());
        if account.known.contains(&pair) {
            return true;
        }
        let spent = account.spent.saturating_add(cost);
        if spent > self.most {
            self.exceeded.store(true, Ordering::Relaxed);
            return false;
        }
        account.spent = spent;
        account.known.insert(pair);
        true
    }
}
