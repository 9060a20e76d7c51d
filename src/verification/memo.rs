//! What the signatures of one verification share: certificates read once, and one account of what evidence has cost.
//!
//! Results do not depend on it. Certificates, CRLs and OCSP responses each remember their own signature checks; sharing
//! the objects is what makes a check happen once.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::digest::Digest;
use crate::limits::Limits;
use crate::pki::{Certificate, CertificatePool};

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
/// once for each issuer that it is tried under, however many certificates it speaks of.
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
