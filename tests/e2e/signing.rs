//! Signing where the artifact is, in a registry: with and without the referrers API, behind a login, and stamped later.

use std::sync::Arc;

use serde_json::json;

use crate::support::cli::statement;
use crate::support::content::{Content, digest, fallback_tag};
use crate::support::http::File;
use crate::support::openssl::{Key, Pki, Use};
use crate::support::registry::{Auth, Options, Referrers, Registry};
use crate::world::World;

#[test]
fn a_registry_gets_signatures_and_timestamps() {
    for (options, by_tag) in [
        (Options { auth: Auth::Bearer { user: Some(("u", "p")), refresh: None }, ..Options::default() }, false),
        (Options { referrers: Referrers::Status(404), ..Options::default() }, true),
    ] {
        let Some(world) = World::new("a_registry_gets_signatures_and_timestamps", &[]) else { return };
        let registry = Registry::start(options);
        let mut content = Content::default();
        let image = content.image("amd64", &[b"a layer".to_vec()]);
        content.tag("v1", &image);
        content.fill(&registry, "team/app", by_tag);
        let name = format!("{}/team/app", registry.host());
        world.user.logs_in(&registry.host(), "u", "p");
        world.user.policy(&[statement(&name, "strict", false)]);
        world.user.put("signer.key", world.pki.key_pem(&world.signer.leaf).as_bytes());
        world.user.put("signer.crt", world.pki.chain_pem(&world.signer.leaf).as_bytes());
        let key = ["--key-file", "signer.key", "--cert-file", "signer.crt"];
        let by_digest = format!("{name}@{}", digest(&image));
        world.user.bulla(&["verify", &by_digest]).says(1, &["signature-absent"]);
        let signed = world.user.bulla(&[&["sign", &format!("{name}:v1")], &key[..]].concat()).ends(0);
        assert!(
            signed
                .text()
                .starts_with(&format!("Successfully signed {by_digest}\nPushed the signature to {name}@sha256:"))
        );
        assert!(signed.stderr.contains("warning: a tag can be moved"), "{signed:?}");
        world.user.bulla(&[&["sign", &by_digest, "--signature-format", "cose"], &key[..]].concat()).ends(0);
        world.user.bulla(&["verify", &by_digest]).ends(0);
        let tag = fallback_tag(digest(&image));
        registry.with("team/app", |repo| {
            assert_eq!(repo.tags.contains_key(&tag), by_tag);
            assert_eq!(repo.tags["v1"].to_string(), digest(&image), "the tag is where it was");
        });
        // A policy that wants timestamps; they come later.
        world.user.policy(&[statement(&name, "strict", true)]);
        world.user.bulla(&["verify", &by_digest]).says(1, &["timestamp-absent"]);
        let pki = Arc::new(Pki::new(&world.server().url()));
        let chain = pki.chain("later", Key::P384, Use::Timestamping);
        for holder in [&chain.root, &chain.inter] {
            world.serve(holder, &pki.crl(holder));
        }
        world.user.trusts("tsa/e2e", &pki.pem(&chain.root));
        let root = world.user.put("tsa.pem", pki.pem(&chain.root).as_bytes());
        let holder = chain.leaf.clone();
        let answer = move |query: &[u8]| ("application/timestamp-reply".to_owned(), pki.reply(&holder, query));
        world.server().put("tsa", File::Answer(Arc::new(answer)));
        let url = format!("{}/tsa", world.server().url());
        let authority = ["--timestamp-url", &url, "--timestamp-root-cert", &root];
        let added = world.user.bulla(&[&["timestamp", "add", &by_digest], &authority[..]].concat()).ends(0);
        assert_eq!(added.text().matches("the new signature is").count(), 2, "{added:?}");
        world.user.bulla(&["verify", &by_digest]).ends(0);
        world
            .user
            .bulla(&[&["sign", &by_digest, "--force-referrers-tag", "-m", "later=yes"], &key[..], &authority].concat())
            .ends(0);
        registry.with("team/app", |repo| assert!(repo.tags.contains_key(&tag)));
        let report = world.user.bulla(&["verify", &by_digest, "--format", "json"]).ends(0).json();
        let signatures = report["artifacts"][0]["signatures"].as_array().unwrap();
        let good = signatures.iter().filter(|one| one["verdict"] == "good");
        assert_eq!((signatures.len(), good.count()), (5, 3), "{report:#}");
        assert_eq!(report["artifacts"][0]["digest"], json!(digest(&image)));
    }
}
