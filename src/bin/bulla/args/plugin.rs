//! Plugins: `plugin`.

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(crate) enum Plugin {
    /// Install a plugin from its program, or from a .zip or .tar.gz with it
    #[command(visible_alias = "add")]
    Install(PluginInstall),
    /// List the plugins that are installed; each is asked for its version
    #[command(visible_alias = "ls")]
    List,
    /// Remove a plugin
    #[command(visible_aliases = ["remove", "rm"])]
    Uninstall(PluginUninstall),
}

#[derive(Debug, Args)]
pub(crate) struct PluginInstall {
    /// The file, or the address
    #[arg(value_name = "SOURCE")]
    pub(crate) source: String,
    /// The source is a file
    #[arg(long, required_unless_present = "url", conflicts_with = "url")]
    pub(crate) file: bool,
    /// The source is an address, https only
    #[arg(long)]
    pub(crate) url: bool,
    /// What the source must hash to by SHA-256; needed with --url
    #[arg(long, value_name = "HEX")]
    pub(crate) sha256sum: Option<String>,
    /// Replace what is installed, whatever its version
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Debug, Args)]
pub(crate) struct PluginUninstall {
    /// The plugin
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// Do not ask first
    #[arg(short, long)]
    pub(crate) yes: bool,
}
