//! What the operator decided outside the command line: environment variables and configuration directories.

use std::collections::BTreeMap;
use std::path::PathBuf;

use bulla::code::DiagnosticCode;
use bulla::config::{ConfigDirectory, ConfigRoots, NotationConfig};
use bulla::evidence::{LiveEvidence, load_crls};
use bulla::limits::Limits;
use bulla::ops::plugins::InstalledPlugins;
use bulla::pki::Crl;
use bulla::signer::plugin::PluginDirectory;
use bulla::time::UnixTime;

use crate::args::Registry;
use crate::error::CommandError;
use crate::terminal;

/// A variable that is set and not empty.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn path_variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// Where Notation's configuration may lie (conformance 13.01).
pub(crate) fn config_roots() -> ConfigRoots {
    ConfigRoots {
        notation_config: path_variable("NOTATION_CONFIG"),
        xdg_config_home: path_variable("XDG_CONFIG_HOME"),
        home: path_variable("HOME"),
    }
}

/// Notation's configuration directory.
pub(crate) fn config_directory() -> Result<ConfigDirectory, CommandError> {
    let directory = ConfigDirectory::locate(&config_roots())?;
    terminal::debug(|| format!("the configuration is in {}", directory.path().display()));
    Ok(directory)
}

/// Where plugins are installed: below `NOTATION_LIBEXEC`, or else the configuration (conformance 11.01).
pub(crate) fn plugins() -> Result<PluginDirectory, CommandError> {
    let libexec = match path_variable("NOTATION_LIBEXEC") {
        Some(path) => path,
        None => config_directory()?.path().to_owned(),
    };
    let directory = PluginDirectory::of_libexec(&libexec);
    terminal::debug(|| format!("plugins are in {}", directory.path().display()));
    Ok(directory)
}

/// The plugins that may take part in judging, and what they are told. Where nothing says where they are, there are none.
pub(crate) fn installed_plugins(told: BTreeMap<String, String>) -> Option<InstalledPlugins> {
    plugins().ok().map(|directory| InstalledPlugins::new(directory, told))
}

/// Notation's settings. The reference reads them before it looks at `NOTATION_CONFIG`, so scripts that set it have them in
/// the default place: there they are looked for where the named directory has none.
pub(crate) fn notation_config(limits: &Limits) -> Result<NotationConfig, CommandError> {
    let named = config_roots();
    let default = ConfigRoots { notation_config: None, ..named.clone() };
    for roots in [named, default] {
        // Without any directory there are no settings; whoever needs the directory says so.
        let Ok(directory) = ConfigDirectory::locate(&roots) else { continue };
        if let Some(config) = NotationConfig::load(directory.path(), limits)? {
            return Ok(config);
        }
    }
    Ok(NotationConfig::default())
}

/// The time that a new bundle bears: `SOURCE_DATE_EPOCH`, for builds that must be repeatable, or now.
pub(crate) fn creation_time() -> Result<UnixTime, CommandError> {
    match variable("SOURCE_DATE_EPOCH") {
        None => Ok(terminal::now()),
        // A time that cannot be written cannot be read again.
        Some(text) => text
            .parse()
            .map(UnixTime::from_seconds)
            .ok()
            .filter(|time| time.to_string().parse().as_ref() == Ok(time))
            .ok_or_else(|| {
                CommandError::new(
                    DiagnosticCode::UsageInvalid,
                    format!(
                        "SOURCE_DATE_EPOCH is {text:?}, which is no number of seconds between the years 1 and 9999"
                    ),
                )
                .with_hint("unset it, or set it to whole seconds since 1970-01-01T00:00:00Z")
            }),
    }
}

/// The CRLs in the files and directories that the operator named.
pub(crate) fn supplied_crls(paths: &[PathBuf], limits: &Limits) -> Result<Vec<Crl>, CommandError> {
    let mut crls = Vec::new();
    for path in paths {
        crls.extend(load_crls(path, limits)?);
    }
    Ok(crls)
}

pub(crate) use network::Network;
#[cfg(feature = "registry")]
pub(crate) use network::credential_store;

/// A user or password of the environment, for `login`.
#[cfg(feature = "registry")]
pub(crate) fn login_variable(name: &str) -> Option<String> {
    variable(name)
}

#[cfg(feature = "registry")]
mod network {
    use std::collections::BTreeSet;
    use std::path::{Path, PathBuf};
    use std::sync::{Arc, OnceLock};

    use bulla::config::ConfigDirectory;
    use bulla::config::credential_store::CredentialStore;
    use bulla::config::credentials::{DeferredDockerConfig, FirstOf, GivenCredential, HostCredential, PlatformHelper};
    use bulla::evidence::network::HttpEvidence;
    use bulla::http::{CredentialProvider, HttpClient, HttpSettings, Method, ProxySettings, Request, Secret};
    use bulla::signer::{HttpTimestamps, TimestampSource};
    use bulla::store::registry::{PlainHttp, RegistryClient, RegistrySettings};

    use super::{CommandError, Limits, LiveEvidence, Registry, path_variable, variable};
    use crate::locate::parse;
    use crate::terminal;
    use bulla::http::Trace;
    use bulla::oci::Location;

    /// Everything that reaches out, made from the operator's settings when something first does: a bundle is judged
    /// without so much as a look at them.
    pub(crate) struct Network {
        /// The registries that the command line names.
        hosts: BTreeSet<String>,
        plain_http: PlainHosts,
        registry_ca: Option<PathBuf>,
        given: Option<GivenCredential>,
        limits: Limits,
        client: OnceLock<Arc<RegistryClient>>,
        evidence: OnceLock<HttpEvidence>,
    }

    /// Whether the registries of the command line are spoken to without TLS.
    #[derive(Clone, Copy, PartialEq, Eq)]
    enum PlainHosts {
        Never,
        Named,
    }

    /// Where Linux distributions keep the certificates of the authorities that the system trusts.
    const SYSTEM_AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";

    impl Network {
        /// `places` are the references of the command line. What it says of registries is for theirs: with
        /// `--insecure-registry` they are spoken to without TLS, and the only one is given what `--username` and
        /// `--password` say.
        pub(crate) fn new(arguments: &Registry, places: &[&str], limits: &Limits) -> Self {
            let host = |place: &&str| match parse(place) {
                Ok(Location::Registry(reference)) => Some(reference.repository.host().to_owned()),
                _ => None,
            };
            Self::of_hosts(arguments, places.iter().filter_map(host).collect(), limits)
        }

        /// As [`Network::new`], for a registry, perhaps with a path behind it.
        pub(crate) fn to_registry(arguments: &Registry, place: &str, limits: &Limits) -> Self {
            let host = place.split_once('/').map_or(place, |(host, _)| host);
            Self::of_hosts(arguments, BTreeSet::from([host.to_owned()]), limits)
        }

        fn of_hosts(arguments: &Registry, hosts: BTreeSet<String>, limits: &Limits) -> Self {
            Self {
                hosts,
                plain_http: if arguments.insecure_registry { PlainHosts::Named } else { PlainHosts::Never },
                registry_ca: arguments.registry_ca.clone(),
                given: given(arguments),
                limits: limits.clone(),
                client: OnceLock::new(),
                evidence: OnceLock::new(),
            }
        }

        /// For what is no registry: timestamp authorities and revocation data.
        pub(crate) fn anywhere(limits: &Limits) -> Self {
            Self {
                hosts: BTreeSet::new(),
                plain_http: PlainHosts::Never,
                registry_ca: None,
                given: None,
                limits: limits.clone(),
                client: OnceLock::new(),
                evidence: OnceLock::new(),
            }
        }

        /// The same with this credential, whatever else is known.
        pub(crate) fn presenting(mut self, credential: GivenCredential) -> Self {
            self.given = Some(credential);
            self
        }

        /// The client for registries: repositories to read from and to write to.
        pub(crate) fn registries(&self) -> Result<&Arc<RegistryClient>, CommandError> {
            if let Some(client) = self.client.get() {
                return Ok(client);
            }
            let mut http = http_settings()?;
            if let Some(path) = &self.registry_ca {
                http.ca_certificates.push(read(path)?);
            }
            let credentials = self.credentials()?;
            let named = self.hosts.iter().filter(|_| self.plain_http == PlainHosts::Named);
            let mut hosts: Vec<String> = named.cloned().collect();
            hosts.extend_from_slice(super::notation_config(&self.limits)?.insecure_registries());
            let plain_http = PlainHttp { hosts, ..PlainHttp::default() };
            let limits = self.limits.clone();
            let client = RegistryClient::new(RegistrySettings { http, plain_http, credentials, limits })?;
            Ok(self.client.get_or_init(|| client))
        }

        /// Who is asked for credentials, in Notation's order (conformance 13.08).
        fn credentials(&self) -> Result<Arc<dyn CredentialProvider>, CommandError> {
            let mut providers: Vec<Arc<dyn CredentialProvider>> = Vec::new();
            if let Some(given) = self.given()? {
                providers.push(Arc::new(given));
            }
            let notation = ConfigDirectory::locate(&super::config_roots()).ok().map(|found| found.path().to_owned());
            for folder in notation.into_iter().chain(docker_folder()) {
                providers.push(Arc::new(DeferredDockerConfig::new(folder, self.limits.clone())));
            }
            if let Some(platform) = platform_helper() {
                providers.push(Arc::new(platform));
            }
            Ok(Arc::new(FirstOf(providers)))
        }

        /// What was given for this run, for the only registry that the command line names: a password is one registry's,
        /// and a second one must not learn it by asking.
        fn given(&self) -> Result<Option<HostCredential>, CommandError> {
            let Some(given) = &self.given else { return Ok(None) };
            let hosts: Vec<&str> = self.hosts.iter().map(String::as_str).collect();
            match hosts.as_slice() {
                [] => Ok(None),
                [host] => Ok(Some(given.clone().only_for(host))),
                several => {
                    let message =
                        format!("one user and password are given, and several registries: {}", several.join(", "));
                    let hint = "they are one registry's: leave out --username, --password, NOTATION_USERNAME and \
                                NOTATION_PASSWORD, and tell each its own with bulla login or in Docker's config.json";
                    Err(CommandError::new(bulla::code::DiagnosticCode::UsageInvalid, message).with_hint(hint))
                }
            }
        }

        /// The source of live revocation data. It is fetched with the system's authorities: what certificates name is
        /// not the operator's registry.
        pub(crate) fn evidence(&self) -> Result<Option<&dyn LiveEvidence>, CommandError> {
            if self.evidence.get().is_none() {
                let client = HttpClient::new(HttpEvidence::settings(http_settings()?))?;
                self.evidence.get_or_init(|| HttpEvidence::new(Arc::new(client)));
            }
            Ok(self.evidence.get().map(|evidence| -> &dyn LiveEvidence { evidence }))
        }
    }

    impl Network {
        /// A timestamp authority at an address.
        pub(crate) fn timestamps(&self, url: &str, limits: &Limits) -> Result<Box<dyn TimestampSource>, CommandError> {
            let client = HttpClient::new(HttpTimestamps::settings(http_settings()?))?;
            Ok(Box::new(HttpTimestamps::new(Arc::new(client), url, limits)?))
        }
    }

    impl Network {
        /// A document from an address; ten minutes is what Notation gives a plugin.
        pub(crate) fn download(&self, url: &str, limit: u64) -> Result<Vec<u8>, CommandError> {
            let mut settings = http_settings()?;
            settings.timeouts.document = std::time::Duration::from_secs(600);
            let request = Request::to(Method::GET, url)?;
            let (answer, bytes) = HttpClient::new(settings)?.fetch(&request, limit)?;
            match answer.status() {
                200 => Ok(bytes),
                status => {
                    let message = format!("{url} answers with the status {status}");
                    Err(CommandError::new(bulla::code::DiagnosticCode::NotFound, message)
                        .with_hint("check the address"))
                }
            }
        }
    }

    /// The credential of the command line, else of the environment. A password without a user is a token.
    fn given(arguments: &Registry) -> Option<GivenCredential> {
        let username = arguments.username.clone().or_else(|| variable("NOTATION_USERNAME")).unwrap_or_default();
        let password = arguments.password.clone().or_else(|| variable("NOTATION_PASSWORD")).unwrap_or_default();
        if username.is_empty() && password.is_empty() {
            return None;
        }
        Some(GivenCredential::new(&username, Secret::new(password)))
    }

    fn docker_folder() -> Option<PathBuf> {
        path_variable("DOCKER_CONFIG").or_else(|| path_variable("HOME").map(|home| home.join(".docker")))
    }

    fn platform_helper() -> Option<PlatformHelper> {
        PlatformHelper::find(std::env::split_paths(&std::env::var_os("PATH")?))
    }

    /// Where `login` leaves credentials.
    pub(crate) fn credential_store(limits: &Limits) -> Result<CredentialStore, CommandError> {
        let directory = super::config_directory()?;
        Ok(CredentialStore::new(directory.path(), docker_folder(), platform_helper(), limits))
    }

    /// What registries and revocation data are both asked with.
    fn http_settings() -> Result<HttpSettings, CommandError> {
        let mut http = HttpSettings { proxies: ProxySettings::from_env(variable), ..HttpSettings::default() };
        match path_variable("SSL_CERT_FILE") {
            Some(path) => http.ca_certificates.push(read(&path)?),
            None => http.ca_certificates.extend(std::fs::read(SYSTEM_AUTHORITIES).ok()),
        }
        http.trace = terminal::is_talkative().then(|| Trace::new(|line| terminal::debug(|| line.to_owned())));
        Ok(http)
    }

    fn read(path: &Path) -> Result<Vec<u8>, CommandError> {
        std::fs::read(path).map_err(|error| CommandError::io(path, &error))
    }
}

#[cfg(not(feature = "registry"))]
mod network {
    use bulla::code::DiagnosticCode;
    use bulla::signer::TimestampSource;

    use super::{CommandError, Limits, LiveEvidence, Registry};

    /// The air-gap build reaches nothing.
    pub(crate) struct Network;

    impl Network {
        pub(crate) fn new(_: &Registry, _: &[&str], _: &Limits) -> Self {
            Self
        }

        pub(crate) fn to_registry(_: &Registry, _: &str, _: &Limits) -> Self {
            Self
        }

        pub(crate) const fn anywhere(_: &Limits) -> Self {
            Self
        }

        pub(crate) fn timestamps(&self, url: &str, _: &Limits) -> Result<Box<dyn TimestampSource>, CommandError> {
            let message = format!("{url} cannot be asked: this build of bulla holds no HTTP client");
            Err(CommandError::new(DiagnosticCode::HttpSupportMissing, message))
        }

        pub(crate) fn download(&self, url: &str, _: u64) -> Result<Vec<u8>, CommandError> {
            let message = format!("{url} cannot be fetched: this build of bulla holds no HTTP client");
            Err(CommandError::new(DiagnosticCode::HttpSupportMissing, message))
        }

        #[expect(clippy::unnecessary_wraps, reason = "the same signature as with the feature")]
        pub(crate) fn evidence(&self) -> Result<Option<&dyn LiveEvidence>, CommandError> {
            Ok(None)
        }
    }
}
