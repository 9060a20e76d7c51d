//! What `verify` and `import` share: the operator's trust, and the clock.

use std::collections::BTreeMap;
use std::path::PathBuf;

use bulla::code::DiagnosticCode;
use bulla::config::{self, ConfigDirectory};
use bulla::limits::Limits;
use bulla::oci::Repository;
use bulla::ops::plugins::InstalledPlugins;
use bulla::pki::Crl;
use bulla::report::v1::{Clock, ClockSource, NetworkUse};
use bulla::time::UnixTime;
use bulla::trust::{Dialect, PolicyDocument, Trust, TrustStoreName};

use crate::args::{FileJudging, Judging};
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
    pub(crate) plugins: Option<InstalledPlugins>,
    pub(crate) warnings: Vec<String>,
}

impl Terms {
    /// Reads the policy, that for files where there are any, the supplied CRLs, and those trust stores that the statements for `scopes` name: what another
    /// statement names does not matter here.
    pub(crate) fn load(
        arguments: &Judging,
        files: Option<&FileJudging>,
        scopes: &[&Repository],
        network: NetworkUse,
        limits: &Limits,
    ) -> Result<Self, CommandError> {
        let roots = settings::config_roots();
        // The directory matters only for what the command line does not name.
        let directory = || ConfigDirectory::locate(&roots).map(|directory| directory.path().to_owned());
        let chosen = |given: &Option<PathBuf>| given.clone().map_or_else(directory, Ok);
        let dialect = if arguments.strict_notation_policy { Dialect::Notation } else { Dialect::Bulla };
        // Files have a policy of their own; where there is nothing else, no other need exist.
        let policy = match files {
            Some(_) if scopes.is_empty() => PolicyDocument::nothing(),
            _ => config::load_policy_as(&chosen(&arguments.policy)?, dialect, limits)?.document,
        };
        let files = files.map(|files| {
            let policy = config::load_blob_policy(&chosen(&files.blob_policy)?, limits)?.document;
            Ok::<_, CommandError>(policy.select(files.policy_name.as_deref())?.clone())
        });
        let files = files.transpose()?;
        let statements = scopes.iter().filter_map(|scope| policy.select(scope)).chain(&files);
        let mut wanted: Vec<TrustStoreName> = statements.flat_map(|statement| statement.stores().to_vec()).collect();
        wanted.sort();
        wanted.dedup();
        let loaded = config::load_trust_stores(&chosen(&arguments.trust_store)?, &wanted, limits)?;
        let (at, source) = match arguments.at {
            Some(given) => (given, ClockSource::Given),
            None => (terminal::now(), ClockSource::HostClock),
        };
        Ok(Self {
            trust: Trust { policy, files, stores: loaded.stores },
            at,
            clock: Clock::new(at, source, arguments.freshness, arguments.revocation_time, network),
            supplied: settings::supplied_crls(&arguments.crls, limits)?,
            user_metadata: unique(&arguments.user_metadata, "--user-metadata")?,
            // What a plugin is told is checked also where no signature asks for one.
            plugins: settings::installed_plugins(unique(&arguments.plugin_config, "--plugin-config")?),
            warnings: loaded.ignored.iter().map(ToString::to_string).collect(),
        })
    }
}

/// Two values for one key cannot both be met, and neither may be forgotten.
pub(super) fn unique(pairs: &[(String, String)], flag: &str) -> Result<BTreeMap<String, String>, CommandError> {
    let mut wanted = BTreeMap::new();
    for (key, value) in pairs {
        if wanted.insert(key.clone(), value.clone()).is_some_and(|first| first != *value) {
            let message = format!("{flag} asks for two values of {key:?}");
            return Err(CommandError::new(DiagnosticCode::UsageInvalid, message).with_hint("give each key once"));
        }
    }
    Ok(wanted)
}
