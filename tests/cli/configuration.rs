//! Where the trust store and the policy come from (conformance 13.01): Notation's directories, and their order.

use std::fs;
use std::path::Path;

use super::common::{Ended, User};

/// Copies the demo's trust store and policy to where a Notation user would have them.
fn configure(user: &User, folder: &Path, policy: &str) {
    let from = user.path("demo/config");
    for store in ["ca/bulla-demo", "tsa/bulla-demo-tsa"] {
        let place = folder.join("truststore/x509").join(store);
        fs::create_dir_all(&place).unwrap();
        fs::copy(from.join("truststore/x509").join(store).join("root.pem"), place.join("root.pem")).unwrap();
    }
    fs::copy(from.join("trustpolicy.json"), folder.join(policy)).unwrap();
}

fn verify(user: &User, variables: &[(&str, &Path)]) -> Ended {
    let arguments = ["verify", "demo/hello.bulla.tar"];
    let mut command = user.command(&arguments);
    command.envs(variables.iter().copied());
    Ended::of(&arguments, &mut command)
}

#[test]
fn the_home_directory() {
    let user = User::with_demo();
    configure(&user, &user.home().join(".config/notation"), "trustpolicy.json");
    verify(&user, &[]).ends(0).prints(&["TRUSTED"]);
    user.bulla(&["import", "demo/hello.bulla.tar", "--to", "oci:images"]).ends(0);
}

#[test]
fn the_newer_name_of_the_policy_comes_first() {
    let user = User::with_demo();
    let folder = user.home().join(".config/notation");
    configure(&user, &folder, "trustpolicy.oci.json");
    verify(&user, &[]).ends(0);
    fs::write(folder.join("trustpolicy.json"), "broken, but not read").unwrap();
    verify(&user, &[]).ends(0);
    fs::write(folder.join("trustpolicy.oci.json"), "broken").unwrap();
    verify(&user, &[]).refuses(2, &["policy-invalid"]);
}

#[test]
fn variables_come_before_the_home_directory() {
    let user = User::with_demo();
    let (notation, xdg) = (user.path("notation"), user.path("xdg"));
    configure(&user, &notation, "trustpolicy.json");
    configure(&user, &xdg.join("notation"), "trustpolicy.json");
    verify(&user, &[]).refuses(2, &["policy-missing"]);
    verify(&user, &[("XDG_CONFIG_HOME", &xdg)]).ends(0);
    verify(&user, &[("NOTATION_CONFIG", &notation)]).ends(0);
    verify(&user, &[("NOTATION_CONFIG", &user.path("nowhere")), ("XDG_CONFIG_HOME", &xdg)])
        .refuses(2, &["policy-missing"]);
    // Empty is as good as unset.
    verify(&user, &[("NOTATION_CONFIG", Path::new("")), ("XDG_CONFIG_HOME", &xdg)]).ends(0);
}

#[test]
fn no_home_at_all() {
    let user = User::with_demo();
    let arguments = ["verify", "demo/hello.bulla.tar"];
    let mut command = user.command(&arguments);
    command.env_remove("HOME");
    Ended::of(&arguments, &mut command).refuses(2, &["config-invalid"]).says(&["NOTATION_CONFIG"]);
}

/// A link in a trust store would let whoever places files elsewhere decide whom to trust (conformance: links are not
/// followed).
#[test]
fn links_in_a_trust_store_are_not_followed() {
    let user = User::with_demo();
    let folder = user.home().join(".config/notation");
    configure(&user, &folder, "trustpolicy.json");
    let certificate = folder.join("truststore/x509/ca/bulla-demo/root.pem");
    fs::rename(&certificate, user.path("root.pem")).unwrap();
    std::os::unix::fs::symlink(user.path("root.pem"), &certificate).unwrap();
    verify(&user, &[]).refuses(2, &["trust-store-missing", "trust-store-invalid"]);
}

/// Whoever verifies a bundle speaks to no registry, so credentials for registries do not matter.
#[test]
fn a_broken_docker_configuration_hinders_registries_alone() {
    let user = User::with_demo();
    fs::create_dir(user.home().join(".docker")).unwrap();
    fs::write(user.home().join(".docker/config.json"), "broken").unwrap();
    user.judging(&["verify", "demo/hello.bulla.tar"]).ends(0);
    user.judging(&["import", "demo/hello.bulla.tar", "--to", "oci:images"]).ends(0);
}

/// Nor do the authorities that HTTPS would trust, until somebody is spoken to.
#[test]
fn missing_authorities_hinder_registries_alone() {
    let user = User::with_demo();
    let absent = user.folder().join("absent.pem");
    let run = |arguments: &[&str]| {
        let mut command = user.command(arguments);
        Ended::of(arguments, command.env("SSL_CERT_FILE", &absent))
    };
    run(&["inspect", "demo/hello.bulla.tar"]).ends(0);
    run(&["verify", "demo/hello.bulla.tar", "--integrity-only"]).ends(0);
    let refused = run(&["verify", "localhost:1/app:v1", "--integrity-only"]).ends(4);
    // The air-gap build has no HTTP client that would need them.
    assert_eq!(refused.stderr.contains("absent.pem"), cfg!(feature = "registry"), "{refused:?}");
}
