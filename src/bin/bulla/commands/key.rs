//! `bulla key add|update|list|delete`

use bulla::config::{DefaultKey, KeySource, SigningKey, SigningKeys};
use bulla::limits::Limits;
use bulla::notary::plugin::PluginName;

use super::judging::unique;
use super::table::write_table;
use crate::args::{Key, KeyAdd, KeyDelete, KeyUpdate};
use crate::error::{CommandError, Status};
use crate::{settings, terminal};

pub(crate) fn run(arguments: &Key) -> Result<Status, CommandError> {
    let limits = Limits::default();
    match arguments {
        Key::Add(arguments) => add(arguments, &limits)?,
        Key::Update(arguments) => update(arguments, &limits)?,
        Key::List => list(&limits)?,
        Key::Delete(arguments) => delete(arguments, &limits)?,
    }
    Ok(Status::Done)
}

pub(super) const fn choice(default: bool) -> DefaultKey {
    if default { DefaultKey::Set } else { DefaultKey::Keep }
}

fn add(arguments: &KeyAdd, limits: &Limits) -> Result<(), CommandError> {
    let source = KeySource::Plugin {
        id: arguments.id.clone().unwrap_or_default(),
        plugin: arguments.plugin.clone(),
        config: unique(&arguments.plugin_config, "--plugin-config")?,
    };
    // As in Notation: a name for a key that nothing can sign with is a mistake.
    settings::plugins()?.find(&PluginName::new(&arguments.plugin)?)?;
    let key = SigningKey { name: arguments.name.clone(), source };
    let directory = settings::config_directory()?;
    SigningKeys::update(directory.path(), limits, |keys| keys.add(key, choice(arguments.default)))?;
    let note = if arguments.default { ", and is the default key" } else { "" };
    terminal::print(|out| writeln!(out, "{} is on the list of signing keys{note}", arguments.name))
}

/// Without `--default` nothing is to be changed, and Notation calls that success.
fn update(arguments: &KeyUpdate, limits: &Limits) -> Result<(), CommandError> {
    if !arguments.default {
        terminal::say("warning: nothing is changed; --default makes the key the default one");
        return Ok(());
    }
    let directory = settings::config_directory()?;
    SigningKeys::update(directory.path(), limits, |keys| keys.set_default(&arguments.name))?;
    terminal::print(|out| writeln!(out, "{} is the default key", arguments.name))
}

fn list(limits: &Limits) -> Result<(), CommandError> {
    let directory = settings::config_directory()?;
    let keys = SigningKeys::load(directory.path(), limits)?;
    let rows = keys.iter().map(|key| {
        let mark = if keys.default_name() == Some(&key.name) { "* " } else { "" };
        let [path, certificates, id, plugin] = match &key.source {
            KeySource::Files { key, certificates } => {
                [key.display().to_string(), certificates.display().to_string(), String::new(), String::new()]
            }
            KeySource::Plugin { id, plugin, .. } => [String::new(), String::new(), id.clone(), plugin.clone()],
        };
        vec![format!("{mark}{}", key.name), path, certificates, id, plugin]
    });
    let titles = ["NAME", "KEY PATH", "CERTIFICATE PATH", "ID", "PLUGIN NAME"];
    terminal::print(|out| write_table(&titles, rows, out))
}

fn delete(arguments: &KeyDelete, limits: &Limits) -> Result<(), CommandError> {
    let directory = settings::config_directory()?;
    let default = SigningKeys::load(directory.path(), limits)?.default_name().map(str::to_owned);
    let removed = SigningKeys::update(directory.path(), limits, |keys| keys.remove(&arguments.names))?;
    terminal::print(|out| {
        removed.iter().try_for_each(|key| {
            let note =
                if default.as_ref() == Some(&key.name) { "; it was the default, and now there is none" } else { "" };
            writeln!(out, "{} is off the list of signing keys{note}", key.name)
        })
    })
}
