//! Keys to sign with: `key`.

use clap::{Args, Subcommand};

use super::parse_key_value;

#[derive(Debug, Subcommand)]
pub(crate) enum Key {
    /// Add a key that a plugin holds
    Add(KeyAdd),
    /// Make a key the default one
    #[command(visible_alias = "set")]
    Update(KeyUpdate),
    /// List the keys; the default one is marked
    #[command(visible_alias = "ls")]
    List,
    /// Take keys off the list; key files stay
    Delete(KeyDelete),
}

/// Keys in files are listed by `cert generate-test`, or by hand in signingkeys.json; `sign` also takes them as files.
#[derive(Debug, Args)]
pub(crate) struct KeyAdd {
    /// What to call it
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// The plugin
    #[arg(long, value_name = "PLUGIN")]
    pub(crate) plugin: String,
    /// What the plugin knows the key by
    #[arg(long, value_name = "ID")]
    pub(crate) id: Option<String>,
    /// What the plugin is always told; may be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = parse_key_value)]
    pub(crate) plugin_config: Vec<(String, String)>,
    /// Make it the default key
    #[arg(long)]
    pub(crate) default: bool,
}

#[derive(Debug, Args)]
pub(crate) struct KeyUpdate {
    /// The key
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// Make it the default key; without this, nothing changes
    #[arg(long)]
    pub(crate) default: bool,
}

#[derive(Debug, Args)]
pub(crate) struct KeyDelete {
    /// The keys
    #[arg(required = true, value_name = "NAME")]
    pub(crate) names: Vec<String>,
}
