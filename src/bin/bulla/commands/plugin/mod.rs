//! `bulla plugin install|list|uninstall`

mod install;
mod package;

use bulla::notary::plugin::{PluginConfig, PluginName};
use bulla::signer::plugin::PluginInstaller;

use super::table::write_table;
use crate::args::plugin::{Plugin, PluginUninstall};
use crate::error::{CommandError, Status};
use crate::settings;
use crate::terminal::{self, Answer};

pub(crate) fn run(arguments: &Plugin) -> Result<Status, CommandError> {
    match arguments {
        Plugin::Install(arguments) => install::run(arguments)?,
        Plugin::List => list()?,
        Plugin::Uninstall(arguments) => uninstall(arguments)?,
    }
    Ok(Status::Done)
}

/// A plugin that does not work is on the list, with what is wrong.
fn list() -> Result<(), CommandError> {
    let plugins = settings::plugins()?.list()?;
    let rows = plugins.into_iter().map(|found| {
        let metadata = found.plugin.and_then(|plugin| plugin.metadata(&PluginConfig::new()));
        let [description, version, capabilities, error] = match metadata {
            Ok(metadata) => {
                let names: Vec<&str> = metadata.capabilities.iter().map(|one| one.name()).collect();
                [metadata.description, metadata.version, format!("[{}]", names.join(" ")), String::new()]
            }
            Err(error) => [String::new(), String::new(), String::new(), error.to_string()],
        };
        vec![found.name.to_string(), description, version, capabilities, error]
    });
    let titles = ["NAME", "DESCRIPTION", "VERSION", "CAPABILITIES", "ERROR"];
    terminal::print(|out| write_table(&titles, rows, out))
}

fn uninstall(arguments: &PluginUninstall) -> Result<(), CommandError> {
    let directory = settings::plugins()?;
    let name = PluginName::new(&arguments.name)?;
    // What is there may not work: that is a reason to remove it.
    directory.check_folder(&name)?;
    if !arguments.yes && terminal::confirm(&format!("Remove the plugin {name}?"))? == Answer::No {
        return Ok(());
    }
    PluginInstaller::of(&directory)?.remove(&name)?;
    terminal::print(|out| writeln!(out, "Successfully uninstalled plugin {name}"))
}
