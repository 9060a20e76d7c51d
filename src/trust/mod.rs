//! What the operator decided to trust: trust stores and the trust policy (Notary Project, "Trust Store and Trust Policy").
//!
//! Nothing here is ever read from a bundle.

mod identity;
mod level;
mod policy;
mod store;

pub use identity::{DistinguishedName, IdentityError, SubjectError, TrustedIdentities};
pub use level::{Action, CheckKind, LevelName, OverrideError, VerificationLevel};
pub use policy::{PolicyDocument, PolicyError, PolicyStatement, Scopes, StatementProblem, TimestampTrigger};
pub(crate) use store::inspect as inspect_store_certificate;
pub use store::{StoreNameError, StoreType, TrustStoreError, TrustStoreName, TrustStores};

/// Everything that the operator decided: a policy, and the stores that it names.
#[derive(Debug, Clone)]
pub struct Trust {
    /// The policy.
    pub policy: PolicyDocument,
    /// The certificates of the stores.
    pub stores: TrustStores,
}
