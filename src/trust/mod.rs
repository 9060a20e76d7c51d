//! What the operator decided to trust: trust stores and the trust policy (Notary Project, "Trust Store and Trust Policy").
//!
//! Nothing here is ever read from a bundle.

mod blob_policy;
mod identity;
mod level;
mod policy;
mod policy_error;
mod scope;
mod statement;
mod store;

pub use blob_policy::{BlobPolicyDocument, BlobSelectionError};
pub use identity::{DistinguishedName, IdentityError, SubjectError, TrustedIdentities};
pub use level::{Action, CheckKind, LevelName, OverrideError, VerificationLevel};
pub use policy::PolicyDocument;
pub use policy_error::{PolicyError, PolicyKind, StatementProblem};
pub use scope::{Dialect, Prefix, Scope};
pub use statement::{PolicyStatement, TimestampTrigger};
pub(crate) use store::inspect as inspect_store_certificate;
pub use store::{StoreNameError, StoreType, TrustStoreError, TrustStoreName, TrustStores};

/// Everything that the operator decided: a policy, and the stores that it names.
#[derive(Debug, Clone)]
pub struct Trust {
    /// The policy for artifacts.
    pub policy: PolicyDocument,
    /// The statement of the policy for files that applies, if one does.
    pub files: Option<PolicyStatement>,
    /// The certificates of the stores.
    pub stores: TrustStores,
}
