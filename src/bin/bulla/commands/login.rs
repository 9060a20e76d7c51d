//! `bulla login SERVER` and `bulla logout SERVER`

#[cfg(feature = "registry")]
pub(crate) use with_registry::{login, logout};

#[cfg(feature = "registry")]
mod with_registry {
    use std::io::{self, IsTerminal as _, Read as _};

    use bulla::code::DiagnosticCode;
    use bulla::config::credential_store::{Keeper, Plaintext, StoreCredentialError};
    use bulla::config::credentials::GivenCredential;
    use bulla::http::Secret;
    use bulla::limits::Limits;
    use bulla::oci::Repository;
    use zeroize::Zeroizing;

    use crate::args::{Login, Logout};
    use crate::error::{CommandError, Status};
    use crate::settings::{self, Network};
    use crate::terminal;

    /// Bytes of a password on standard input; a token may have some thousands.
    const MOST_PASSWORD: u64 = 64 << 10;

    /// Tries the credential before it is kept: a wrong one is of use to nobody.
    pub(crate) fn login(arguments: &Login) -> Result<Status, CommandError> {
        let limits = Limits::default();
        let host = host(&arguments.server)?;
        let credential = credential(arguments)?;
        let network = Network::to_registry(&arguments.registry, &host, &limits).presenting(credential.clone());
        network.registries()?.log_in(&host)?;
        let plain = if arguments.allow_plaintext { Plaintext::Allowed } else { Plaintext::Refused };
        let kept = settings::credential_store(&limits)?.keep(&host, &credential.0, plain);
        match kept.map_err(refused)? {
            Keeper::Helper(name) => terminal::debug(|| format!("docker-credential-{name} keeps the credential")),
            Keeper::File(path) => terminal::say(&format!(
                "warning: {} holds the password in plain text: whoever reads the file can log in; a credential helper \
                 would keep it safe",
                path.display()
            )),
        }
        terminal::print(|out| writeln!(out, "Logged in to {host}"))?;
        Ok(Status::Done)
    }

    fn refused(error: StoreCredentialError) -> CommandError {
        let is_plaintext = matches!(error, StoreCredentialError::Plaintext { .. });
        let error = CommandError::from(error);
        if is_plaintext { error.with_hint("--allow-plaintext keeps it there all the same") } else { error }
    }

    pub(crate) fn logout(arguments: &Logout) -> Result<Status, CommandError> {
        let host = host(&arguments.server)?;
        settings::credential_store(&Limits::default())?.forget(&host)?;
        terminal::print(|out| writeln!(out, "Logged out from {host}"))?;
        Ok(Status::Done)
    }

    /// A registry as references write it.
    fn host(server: &str) -> Result<String, CommandError> {
        let host = Repository::new(server, "any").map_err(|error| {
            CommandError::from(error).with_hint("a registry is written as host or host:port, without https://")
        })?;
        Ok(host.host().to_owned())
    }

    /// What the flags say, else the environment, else the operator when asked. Without a user, the password is a token.
    fn credential(arguments: &Login) -> Result<GivenCredential, CommandError> {
        let registry = &arguments.registry;
        if arguments.password_stdin && registry.password.is_some() {
            let message = "--password and --password-stdin cannot both give the password";
            return Err(CommandError::new(DiagnosticCode::UsageInvalid, message).with_hint("choose one of them"));
        }
        if registry.password.is_some() {
            terminal::say(
                "warning: other users of this machine can see a password on the command line; --password-stdin hides it",
            );
        }
        let variable = settings::login_variable;
        let username = registry.username.clone().or_else(|| variable("NOTATION_USERNAME"));
        if arguments.password_stdin {
            return Ok(GivenCredential::new(&username.unwrap_or_default(), standard_input()?));
        }
        let password = registry.password.clone().or_else(|| variable("NOTATION_PASSWORD")).map(Secret::new);
        let username = match (username, &password) {
            (Some(username), _) => username,
            (None, Some(_)) => String::new(),
            (None, None) => {
                terminal::ask("Username: ")?;
                terminal::read_line()?.unwrap_or_default().trim().to_owned()
            }
        };
        let password = match password.filter(|password| !password.expose().is_empty()) {
            Some(password) => password,
            None => ask_for_secret(if username.is_empty() { "Token: " } else { "Password: " })?,
        };
        if password.expose().is_empty() {
            let message = "there is no password";
            return Err(
                CommandError::new(DiagnosticCode::UsageInvalid, message).with_hint("give one with --password-stdin")
            );
        }
        Ok(GivenCredential::new(&username, password))
    }

    /// Hidden on a terminal; otherwise the rest of standard input.
    fn ask_for_secret(question: &str) -> Result<Secret, CommandError> {
        terminal::ask(question)?;
        if !io::stdin().is_terminal() {
            return standard_input();
        }
        let text = rpassword::read_password().map_err(|error| failed(&error))?;
        terminal::print(|out| writeln!(out))?;
        Ok(Secret::new(text))
    }

    fn standard_input() -> Result<Secret, CommandError> {
        let mut text = Zeroizing::new(String::new());
        io::stdin().lock().take(MOST_PASSWORD).read_to_string(&mut text).map_err(|error| failed(&error))?;
        Ok(Secret::new(text.trim_end_matches(['\r', '\n'])))
    }

    fn failed(error: &io::Error) -> CommandError {
        CommandError::new(bulla::code::io_code(error), format!("standard input: {error}"))
    }
}

#[cfg(not(feature = "registry"))]
pub(crate) fn login(arguments: &crate::args::Login) -> Result<crate::error::Status, crate::error::CommandError> {
    Err(no_registry(&arguments.server))
}

#[cfg(not(feature = "registry"))]
pub(crate) fn logout(arguments: &crate::args::Logout) -> Result<crate::error::Status, crate::error::CommandError> {
    Err(no_registry(&arguments.server))
}

#[cfg(not(feature = "registry"))]
fn no_registry(server: &str) -> crate::error::CommandError {
    let message = format!("{server} is a registry, and this build of bulla holds no HTTP client");
    crate::error::CommandError::new(bulla::code::DiagnosticCode::HttpSupportMissing, message)
        .with_hint("use a build with the feature \"registry\"")
}
