//! Which key signs: the options of every command that signs.

use std::path::PathBuf;

use clap::Args;

use super::parse_key_value;

/// The key: one of signingkeys.json by name, the default one there, a plugin's, or one in files.
#[derive(Debug, Args)]
pub(crate) struct KeyOptions {
    /// Sign with this key of signingkeys.json, in place of the default one
    #[arg(short, long, value_name = "NAME", conflicts_with_all = ["id", "plugin", "key_file", "cert_file"])]
    pub(crate) key: Option<String>,
    /// Sign with the key that --plugin knows by this id
    #[arg(long, value_name = "ID", requires = "plugin", conflicts_with_all = ["key_file", "cert_file"])]
    pub(crate) id: Option<String>,
    /// Sign with a key behind this plugin
    #[arg(long, value_name = "NAME", requires = "id", conflicts_with_all = ["key_file", "cert_file"])]
    pub(crate) plugin: Option<String>,
    /// What the plugin is told; may be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = parse_key_value)]
    pub(crate) plugin_config: Vec<(String, String)>,
    /// Sign with the private key in this file: PEM in PKCS#8, encrypted PKCS#8, PKCS#1 or SEC 1
    #[arg(long, value_name = "FILE", requires = "cert_file")]
    pub(crate) key_file: Option<PathBuf>,
    /// The certificates of --key-file, the signer's own first, the root last
    #[arg(long, value_name = "FILE", requires = "key_file")]
    pub(crate) cert_file: Option<PathBuf>,
    /// The passphrase of an encrypted key file, in the first line of this file; where it is not given, a terminal is asked
    #[arg(long, value_name = "FILE")]
    pub(crate) passphrase_file: Option<PathBuf>,
}
