//! What `verify` and `import` share: the operator's trust, and the clock.

use std::collections::BTreeMap;
use std::path::PathBuf;

use bulla::config;
use bulla::limits::Limits;
use bulla::pki::Crl;
use bulla::report::v1::{Clock, ClockSource, NetworkUse};
use bulla::time::UnixTime;
use bulla::trust::Trust;

use crate::args::Judging;
use crate::error::CommandError;
use crate::settings;
use crate::terminal;

/// The operator's decisions, read once.
pub(crate) struct Terms {
    pub(crate) trust: Trust,
    pub(crate) at: UnixTime,
    pub(crate) clock: Clock,
    pub(crate) supplied: Vec<Crl>,
    pub(crate) user_metadata: BTreeMap<String, String>,
    pub(crate) warnings: Vec<String>,
}

impl Terms {
    /// Reads policy, trust stores and supplied CRLs.
    pub(crate) fn load(arguments: &Judging, network: NetworkUse, limits: &Limits) -> Result<Self, CommandError> {
        let roots = settings::config_roots();
        let policy = config::load_policy(&roots, arguments.policy.as_deref(), limits)?;
        let stores: PathBuf = match &arguments.trust_store {
            Some(given) => given.clone(),
            None => roots.directory(),
        };
        let loaded = config::load_trust_stores(&stores, &policy.stores(), limits)?;
        let (at, source) = match arguments.at {
            Some(given) => (given, ClockSource::Given),
            None => (terminal::now(), ClockSource::HostClock),
        };
        Ok(Self {
            trust: Trust { policy, stores: loaded.stores },
            at,
            clock: Clock::new(at, source, arguments.freshness, network),
            supplied: settings::supplied_crls(&arguments.crls, limits)?,
            user_metadata: arguments.user_metadata.iter().cloned().collect(),
            warnings: loaded.warnings.iter().map(ToString::to_string).collect(),
        })
    }
}
