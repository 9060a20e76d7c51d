//! `bulla blob …`: files with detached signatures (conformance section 12).

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::common::{Ended, contents};
use super::forge::{Blob, Tar};
use super::signers::World;
use bulla::digest::Digest;
use bulla::limits::Limits;
use bulla::notary::EnvelopeType;
use bulla::ops::file::{FileError, FileSource, extract};
use serde_json::{Value, json};

use crate::openssl::{Key, Use};

fn sign(world: &World, key: &str, more: &[&str]) -> Ended {
    let (file, certificates) = (format!("{key}.key"), format!("{key}.crt"));
    world
        .user
        .bulla(&[&["blob", "sign", "dir/file.txt", "--key-file", &file, "--cert-file", &certificates], more].concat())
}

fn verify(world: &World, signature: &str, more: &[&str]) -> Ended {
    let trust = ["--trust-store", "trust", "--policy", "blobs.json"];
    world.user.bulla(&[&["blob", "verify", "dir/file.txt", "-s", signature], &trust[..], more].concat())
}

#[test]
fn files_are_signed_and_verified_by_keys_of_every_hash() {
    // Conformance 2.04, 12.01 to 12.06.
    let Some(world) = World::new("files_are_signed_and_verified", Key::P256) else { return };
    world.user.put("dir/file.txt", "content");
    for (key, hash) in [(Key::P256, "sha256"), (Key::Rsa3072, "sha384"), (Key::P384, "sha384"), (Key::P521, "sha512")] {
        let name = format!("{key:?}").to_lowercase();
        let leaf = world.pki.leaf(&name, &world.signer.inter, key, Use::Signing, 90);
        world.give_key(&name, &leaf);
        for format in ["jws", "cose"] {
            let signature = format!("dir/file.txt.{format}.sig");
            let more = ["--signature-format", format, "--force", "--media-type", "text/plain", "-m", "k=v"];
            sign(&world, &name, &more).ends(0).prints(&["Successfully signed dir/file.txt", &signature]);
            assert_eq!(fs::metadata(world.user.path(&signature)).unwrap().permissions().mode() & 0o777, 0o600);
            let verified = verify(&world, &signature, &["-m", "k=v", "--media-type", "text/plain"]).ends(0);
            verified.prints(&["Successfully verified signature", &format!("({hash}:")]);
            verify(&world, &signature, &["--media-type", "text/html"]).says(&["target-mismatch"]).ends(1);
            // Conformance 12.08: a reserved key is in no signature.
            verify(&world, &signature, &["-m", "io.cncf.notary.x=y"]).says(&["user-metadata-mismatch"]).ends(1);
            verify(&world, &signature, &["-m", "k=w"]).says(&["user-metadata-mismatch"]).ends(1);
            let inspected = world.user.bulla(&["blob", "inspect", &signature, "-o", "json"]).ends(0).json();
            assert!(inspected["signedArtifact"]["digest"].as_str().unwrap().starts_with(hash), "{inspected:#}");
            assert_eq!(inspected["signedArtifact"]["size"], 7);
            assert!(inspected.get("digest").is_none());
            world.user.bulla(&["blob", "inspect", &signature]).ends(0).prints(&["text/plain"]);
        }
    }
    // One byte, and one byte more.
    for other in ["contend", "content!"] {
        world.user.put("dir/file.txt", other);
        for format in ["jws", "cose"] {
            verify(&world, &format!("dir/file.txt.{format}.sig"), &[]).says(&["target-mismatch"]).ends(1);
        }
    }
}

#[test]
fn signatures_are_found_by_name_and_not_overwritten_unasked() {
    // Conformance 12.02, 12.03, 12.04, 12.07.
    let Some(world) = World::new("signatures_are_found_by_name", Key::P256) else { return };
    world.user.put("dir/file.txt", "content");
    sign(&world, "signer", &["--signature-directory", "new/place"]).ends(0);
    let signature = world.user.get("new/place/file.txt.jws.sig");
    // ECDSA is deterministic (RFC 6979), so the new one might be the same.
    world.user.put("new/place/file.txt.jws.sig", "an old one");
    assert_eq!(fs::metadata(world.user.path("new/place")).unwrap().permissions().mode() & 0o777, 0o700);
    // Nobody answers; somebody says no; somebody says yes.
    let again = [
        "blob",
        "sign",
        "dir/file.txt",
        "--key-file",
        "signer.key",
        "--cert-file",
        "signer.crt",
        "--signature-directory",
        "new/place",
    ];
    for (answer, changes) in [("", false), ("no\n", false), ("y\n", true)] {
        let mut command = world.user.command(&again);
        command.write_stdin(answer);
        Ended::of(&again, &mut command).ends(0).prints(&["[y/N] "]);
        assert_eq!(world.user.get("new/place/file.txt.jws.sig") != b"an old one", changes, "{answer:?}");
    }
    sign(&world, "signer", &["--signature-directory", "new/place", "--force"]).ends(0).says(&["overwritten"]);
    for bad in ["sig", "file.sig", "file.txt.pgp.sig"] {
        world.user.put(bad, &signature);
        verify(&world, bad, &[]).refuses(2, &["usage-invalid"]);
    }
    world.user.put("other.COSE.SIG", &signature);
    verify(&world, "other.COSE.SIG", &[]).says(&["envelope-malformed"]).ends(1);
    sign(&world, "signer", &["--media-type", "no type"]).refuses(2, &["usage-invalid"]);
    verify(&world, "new/place/file.txt.jws.sig", &["--scope", "a.example/b"]).refuses(2, &["usage-invalid"]);
    world.user.bulla(&["blob", "sign", "dir", "--key-file", "signer.key", "--cert-file", "signer.crt"]).ends(2);
}

#[test]
fn the_blob_policy_decides() {
    // Conformance 7.02, 7.26; 12.06.
    let Some(world) = World::new("the_blob_policy_decides", Key::P256) else { return };
    world.user.put("dir/file.txt", "content");
    sign(&world, "signer", &[]).ends(0);
    let signature = "dir/file.txt.jws.sig";
    verify(&world, signature, &["--policy-name", "e2e"]).ends(0);
    verify(&world, signature, &["--policy-name", "other"]).refuses(1, &["policy-not-applicable"]);
    verify(&world, signature, &["--offline"]).says(&["error"]).ends(5);
    // In Notation's place, by the commands that manage it.
    let bare = ["blob", "verify", "dir/file.txt", "--signature", signature];
    world.user.bulla(&bare).refuses(2, &["policy-missing"]);
    let init =
        ["blob", "policy", "init", "--name", "mine", "--trust-store", "ca:e2e", "--trusted-identity", "*", "--global"];
    world.user.bulla(&init).ends(0);
    world.user.bulla(&["blob", "policy", "show"]).ends(0).prints(&["\"globalPolicy\": true", "\"strict\""]);
    let store = world.user.home().join(".config/notation/truststore/x509/ca/e2e");
    fs::create_dir_all(&store).unwrap();
    fs::write(store.join("root.pem"), world.pki.pem(&world.signer.root)).unwrap();
    world.user.bulla(&bare).ends(0);
    world.user.bulla(&["blob", "policy", "import", "blobs.json", "--force"]).ends(0);
    world.user.bulla(&bare).ends(0).prints(&["e2e"]);
    world.user.bulla(&["blob", "policy", "import", "policy.json", "--force"]).ends(2);
    // Revoked is revoked.
    world.pki.revoke(&world.signer.inter, &world.signer.leaf, "keyCompromise");
    world.publish_crls(&world.signer);
    world.user.bulla(&bare).says(&["certificate-revoked"]).ends(1);
}

#[test]
fn files_are_carried_in_bundles_and_judged_under_the_blob_policy() {
    let Some(world) = World::new("files_are_carried_in_bundles", Key::P384) else { return };
    world.user.put("dir/Setup 1.0.bin", "content".repeat(1000));
    let other = world.pki.leaf("other", &world.signer.inter, Key::Rsa4096, Use::Signing, 90);
    world.give_key("other", &other);
    for (key, format) in [("signer", "jws"), ("other", "cose")] {
        let (file, certificates) = (format!("{key}.key"), format!("{key}.crt"));
        let sign = ["blob", "sign", "dir/Setup 1.0.bin", "--key-file", &file, "--cert-file", &certificates];
        world.user.bulla(&[&sign[..], &["--signature-format", format]].concat()).ends(0);
    }
    world.user.bulla(&["export", "file:dir/Setup 1.0.bin", "-o", "files.tar"]).ends(0).says(&["2 signatures"]);
    world.server.forget_requests();
    let judged = |words: &[&str]| {
        let trust = ["--trust-store", "trust", "--blob-policy", "blobs.json", "--format", "json"];
        world.user.bulla(&[words, &trust[..]].concat())
    };
    let report = judged(&["verify", "files.tar"]).ends(0).json();
    let artifact = &report["artifacts"][0];
    assert!(artifact["reference"].as_str().unwrap().starts_with("file.local/setup-1-0-bin@sha256:"), "{artifact:#}");
    assert_eq!(artifact["policy"]["statement"], "e2e");
    let words: Vec<_> = artifact["signatures"].as_array().unwrap().iter().map(|one| one["verdict"].clone()).collect();
    assert_eq!(words, ["good", "good"], "{artifact:#}");
    judged(&["verify", "files.tar", "--policy-name", "nobody"]).refuses(1, &["policy-not-applicable"]);
    world.user.bulla(&["verify", "files.tar", "--trust-store", "trust"]).refuses(2, &["policy-missing"]);
    // The policy for artifacts says nothing about files, and a file goes nowhere where it could pass for an image.
    for destination in ["oci:images", "docker-archive:images.tar", "127.0.0.1:1/base"] {
        judged(&["import", "files.tar", "--to", destination]).refuses(2, &["destination-unsupported"]);
    }
    judged(&["import", "files.tar", "--to", "file:out"]).ends(0);
    for name in ["Setup 1.0.bin", "Setup 1.0.bin.jws.sig", "Setup 1.0.bin.cose.sig"] {
        assert_eq!(world.user.get(&format!("out/{name}")), world.user.get(&format!("dir/{name}")), "{name}");
    }
    assert!(world.server.seen().is_empty(), "what was carried is judged without the network");
    // Again, as after a run that was killed between two names: what is there stays, what is missing comes. Nothing is replaced.
    std::fs::remove_file(world.user.path("out/Setup 1.0.bin.jws.sig")).unwrap();
    judged(&["import", "files.tar", "--to", "file:out"]).ends(0);
    let whole = world.user.get("out/Setup 1.0.bin");
    for other in [whole.iter().rev().copied().collect(), [&whole[..], b"x"].concat()] {
        std::fs::remove_file(world.user.path("out/Setup 1.0.bin.jws.sig")).unwrap();
        world.user.put("out/Setup 1.0.bin", &other);
        judged(&["import", "files.tar", "--to", "file:out"]).refuses(2, &["already-exists"]);
        assert_eq!(world.user.get("out/Setup 1.0.bin"), other);
        assert!(!world.user.path("out/Setup 1.0.bin.jws.sig").exists());
        world.user.put("out/Setup 1.0.bin", &whole);
        judged(&["import", "files.tar", "--to", "file:out"]).ends(0);
    }
    let verify = ["blob", "verify", "out/Setup 1.0.bin", "-s", "out/Setup 1.0.bin.cose.sig"];
    world.user.bulla(&[&verify[..], &["--trust-store", "trust", "--policy", "blobs.json"]].concat()).ends(0);
}

#[test]
fn a_file_that_was_not_signed_stays_where_it_is() {
    let Some(world) = World::new("a_file_that_was_not_signed", Key::P256) else { return };
    world.user.put("dir/file.txt", "content");
    sign(&world, "signer", &[]).ends(0);
    world.user.put("dir/file.txt", "contend");
    world.user.bulla(&["export", "file:dir/file.txt", "-o", "altered.tar"]).ends(0);
    world.user.put("dir/bare.txt", "content");
    world.user.bulla(&["export", "file:dir/bare.txt", "-o", "bare.tar"]).ends(0).says(&["no signature"]);
    for (bundle, code) in [("altered.tar", "target-mismatch"), ("bare.tar", "signature-absent")] {
        let trust = ["--trust-store", "trust", "--blob-policy", "blobs.json"];
        world.user.bulla(&[&["verify", bundle], &trust[..]].concat()).ends(1).prints(&[code]);
        world.user.bulla(&[&["import", bundle, "--to", "file:out"], &trust[..]].concat()).ends(1);
        assert!(!world.user.path("out").join("file.txt").exists() && !world.user.path("out").join("bare.txt").exists());
    }
    world.user.put("dir/.hidden", "content");
    world.user.bulla(&["export", "file:dir/.hidden", "-o", "x.tar"]).refuses(2, &["usage-invalid"]);
    world.user.bulla(&["export", "file:dir/absent", "-o", "x.tar"]).ends(4);
    world.user.put("dir/file.txt.cose.sig", "broken");
    world.user.bulla(&["export", "file:dir/file.txt", "-o", "x.tar"]).fails(1, &["envelope-malformed"]);
    let named = ["export", "file:dir/bare.txt", "--as", "registry.example/team/app:1.0", "-o", "x.tar"];
    world.user.bulla(&named).refuses(2, &["usage-invalid"]);
}

/// Judged by the two policies, of which each trusts a signer of its own.
struct Policies(World);

impl Policies {
    /// The world's signer may sign files and nothing else, `images` may sign images and nothing else.
    fn new(test: &str) -> Option<Self> {
        let world = World::new(test, Key::P256)?;
        let images = world.pki.chain("images", Key::P256, Use::Signing);
        world.publish_crls(&images);
        world.give_key("images", &images.leaf);
        world.user.put("trust/ca/images/root.pem", world.pki.pem(&images.root));
        let mut policy = world.user.json("policy.json");
        policy["trustPolicies"][0]["trustStores"] = json!(["ca:images"]);
        policy["trustPolicies"][0]["trustedIdentities"] = json!(["*"]);
        world.user.put("policy.json", policy.to_string());
        Some(Self(world))
    }

    fn judge(&self, words: &[&str]) -> Ended {
        let trust = ["--trust-store", "trust", "--policy", "policy.json", "--blob-policy", "blobs.json"];
        self.0.user.bulla(&[words, &trust[..], &["--format", "json"]].concat())
    }

    /// Whatever it is called on the command line, nothing of it is trusted, and nothing gets in.
    fn refuse(&self, name: &str, bundle: &[u8], code: &str) {
        self.0.user.put("forged.tar", bundle);
        for more in [&[][..], &["--scope", super::signers::SCOPE], &["--scope", "file.local/file-txt"]] {
            let report = self.judge(&[&["verify", "forged.tar"], more].concat()).ends(1).json();
            let artifact = &report["artifacts"][0];
            assert_eq!(
                (&artifact["verdict"], &artifact["reference"]),
                (&json!("rejected"), &json!(name)),
                "{report:#}"
            );
            assert!(report.to_string().contains(code), "{code}: {report:#}");
            for destination in ["oci:in", "docker-archive:in", "file:in"] {
                let status = self.judge(&[&["import", "forged.tar", "--to", destination], more].concat()).status;
                assert!([1, 2].contains(&status), "{destination}: {status}");
            }
        }
        let inside = self.0.user.path("in");
        assert!(!inside.exists() || contents(&inside).is_empty(), "{name}");
    }
}

#[test]
fn a_file_is_no_image_and_an_image_no_file_whatever_a_bundle_calls_them() {
    let Some(policies) = Policies::new("a_file_is_no_image_and_an_image_no_file") else { return };
    let world = &policies.0;
    world.user.put("dir/file.txt", "content");
    sign(world, "signer", &[]).ends(0);
    world.user.bulla(&["export", "file:dir/file.txt", "-o", "file.tar"]).ends(0);
    let sign_image = ["sign", "layout:1.0", "--key-file", "images.key", "--cert-file", "images.crt"];
    world.user.bulla(&sign_image).ends(0);
    let image_name = format!("{}:1.0", super::signers::SCOPE);
    world.user.bulla(&["export", "oci:layout:1.0", "--as", &image_name, "-o", "image.tar"]).ends(0);
    // As they are, each is good under its policy.
    let good = |bundle: &str| policies.judge(&["verify", bundle]).ends(0).json()["artifacts"][0].clone();
    let (file, image) = (good("file.tar"), good("image.tar"));
    assert!(file["reference"].as_str().unwrap().starts_with("file.local/file-txt@"), "{file:#}");
    // The other's name, and so the other's policy; where both trust the signer too.
    let both = |store: &str| {
        for name in ["policy.json", "blobs.json"] {
            let mut policy = world.user.json(name);
            policy["trustPolicies"][0]["trustStores"] = json!([store]);
            policy["trustPolicies"][0]["trustedIdentities"] = json!(["*"]);
            world.user.put(name, policy.to_string());
        }
    };
    let file_as_image = Tar::parse(&world.user.get("file.tar")).relabelled(&image_name);
    let file_name = format!("file.local/file-txt@{}", image["digest"].as_str().unwrap());
    let image_as_file = Tar::parse(&world.user.get("image.tar")).relabelled(&file_name);
    policies.refuse(&image_name, &file_as_image, "target-mismatch");
    policies.refuse(&file_name, &image_as_file, "signature-absent");
    both("ca:e2e");
    policies.refuse(&image_name, &file_as_image, "target-mismatch");
    both("ca:images");
    policies.refuse(&file_name, &image_as_file, "signature-absent");
}

#[test]
fn whose_signature_counts_is_the_policys_word_where_file_and_image_are_the_same_bytes() {
    let Some(policies) = Policies::new("whose_signature_counts_is_the_policys_word") else { return };
    let world = &policies.0;
    let sign_image = ["sign", "layout:1.0", "--key-file", "images.key", "--cert-file", "images.crt"];
    world.user.bulla(&sign_image).ends(0);
    let manifest = world.bytes(&world.root);
    let of_image = world.bytes(&world.signatures()[0]["layers"][0]);
    // The image's manifest as a file, with the image's signature beside it.
    world.user.put("dir/file.txt", &manifest);
    world.user.put("dir/file.txt.jws.sig", &of_image);
    world.user.bulla(&["export", "file:dir/file.txt", "-o", "file.tar"]).ends(0);
    let refused = policies.judge(&["verify", "file.tar"]).ends(1);
    assert!(refused.stdout.contains("chain-untrusted"), "{refused:?}");
    // A signature on that file, of who may sign files, beside the image: to the letter what one on the image would be.
    let media_type = ["--media-type", world.root["mediaType"].as_str().unwrap(), "--force"];
    sign(world, "signer", &media_type).ends(0);
    verify(world, "dir/file.txt.jws.sig", &[]).ends(0);
    let of_file = Blob::new("application/jose+json", world.user.get("dir/file.txt.jws.sig"));
    let mut signature = world.signatures()[0].clone();
    let entries = world.entries();
    let old = entries.iter().find(|entry| world.blob(entry) == signature).unwrap().clone();
    signature["layers"][0] = of_file.descriptor();
    let signature = Blob::new("application/vnd.oci.image.manifest.v1+json", signature.to_string());
    for blob in [&of_file, &signature] {
        world.user.put(&format!("layout/{}", bulla::oci::blob_path(&Digest::sha256(&blob.content))), &blob.content);
    }
    let mut new = signature.descriptor();
    new["artifactType"] = old["artifactType"].clone();
    let kept: Vec<Value> = entries.into_iter().filter(|entry| *entry != old).chain([new]).collect();
    world.user.put("layout/index.json", json!({"schemaVersion": 2, "manifests": kept}).to_string());
    let image = ["verify", "layout:1.0", "--scope", super::signers::SCOPE];
    let refused = policies.judge(&image).ends(1);
    assert!(refused.stdout.contains("chain-untrusted"), "{refused:?}");
    // It is the policy alone that stood in the way.
    let mut policy = world.user.json("policy.json");
    policy["trustPolicies"][0]["trustStores"] = json!(["ca:e2e"]);
    world.user.put("policy.json", policy.to_string());
    policies.judge(&image).ends(0);
}

/// Judges a bundle on standard input by the world's policies.
fn piped(world: &World, words: &[&str], bytes: &[u8]) -> Ended {
    let trust = ["--trust-store", "trust", "--blob-policy", "blobs.json"];
    let words = [words, &trust[..]].concat();
    Ended::of(&words, world.user.command(&words).write_stdin(bytes))
}

#[test]
fn files_come_through_a_pipe_whatever_the_hash_of_their_signatures() {
    let Some(world) = World::new("files_come_through_a_pipe", Key::P256) else { return };
    // Two files of the same content, which is a layer only once; and one that is no layer to the bundle, because its own
    // configuration is the same.
    let contents_of =
        [("dir/a.bin", "content".repeat(100_000)), ("dir/b.bin", "content".repeat(100_000)), ("dir/c", "{}".into())];
    let mut export = vec!["export".to_owned()];
    let at = bulla::time::UnixTime::from_seconds(crate::openssl::now() + 600).to_string();
    for (name, content) in &contents_of {
        world.user.put(name, content);
        export.push(format!("file:{name}"));
    }
    for (key, format) in [(Key::P256, "jws"), (Key::P384, "cose"), (Key::P521, "jws")] {
        let name = format!("{key:?}").to_lowercase();
        world.give_key(&name, &world.pki.leaf(&name, &world.signer.inter, key, Use::Signing, 90));
        let (file, certificates) = (format!("{name}.key"), format!("{name}.crt"));
        for (signed, _) in &contents_of {
            let sign = ["blob", "sign", signed, "--key-file", &file, "--cert-file", &certificates, "--force"];
            world.user.bulla(&[&sign[..], &["--signature-format", format]].concat()).ends(0);
        }
        for (bundle, compression) in [("x.tar", "none"), ("x.tar.zst", "zstd")] {
            let export: Vec<&str> = export.iter().map(String::as_str).collect();
            world.user.bulla(&[&export[..], &["-o", bundle, "--compression", compression]].concat()).ends(0);
            let bytes = world.user.get(bundle);
            let report = piped(&world, &["verify", "-", "--format", "json", "--at", &at], &bytes).ends(0).json();
            let words = ["--format", "json", "--at", &at, "--trust-store", "trust", "--blob-policy", "blobs.json"];
            let file = world.user.bulla(&[&["verify", bundle], &words[..]].concat()).ends(0).json();
            for member in ["verdict", "artifacts", "integrity"] {
                assert_eq!(report[member], file[member], "{key:?} {member}");
            }
            // All but the end: names are given when everything was right.
            piped(&world, &["import", "-", "--to", "file:cut"], &bytes[..bytes.len() - 600]).ends(3);
            assert!(contents(&world.user.path("cut")).is_empty(), "{key:?}");
            piped(&world, &["import", "-", "--to", "file:out", "--receipt", "r.json"], &bytes).ends(0);
            for (name, content) in &contents_of {
                let name = name.replace("dir/", "out/");
                assert_eq!(world.user.get(&name), content.as_bytes(), "{name}");
                for signature in [format!("{name}.jws.sig"), format!("{name}.cose.sig")] {
                    let original = signature.replace("out/", "dir/");
                    assert_eq!(world.user.path(&signature).exists(), world.user.path(&original).exists());
                }
            }
            assert_eq!(world.user.json("r.json")["imported"].as_array().unwrap().len(), 3);
            piped(&world, &["import", "-", "--to", "file:out"], &bytes).ends(0);
            let name = contents_of.first().unwrap().0.replace("dir/", "out/");
            world.user.put(&name, "other");
            piped(&world, &["import", "-", "--to", "file:out"], &bytes).refuses(2, &["already-exists"]);
            assert_eq!(world.user.get(&name), b"other");
            fs::remove_dir_all(world.user.path("out")).unwrap();
        }
    }
}

/// What cannot be written whole is not begun, from a file as from a pipe.
#[test]
fn files_of_one_name_or_of_too_long_a_name_are_refused_before_the_first_is_written() {
    let Some(world) = World::new("files_of_one_name", Key::P256) else { return };
    let signed = |name: &str, content: &str| {
        world.user.put(name, content);
        let sign = ["blob", "sign", name, "--key-file", "signer.key", "--cert-file", "signer.crt"];
        world.user.bulla(&sign).ends(0);
    };
    for (name, content) in [("one/a.bin", "a"), ("one/z.bin", "z"), ("two/z.bin", "another z")] {
        signed(name, content);
    }
    let export = |files: &[&str], bundle: &str| {
        let files: Vec<String> = files.iter().map(|name| format!("file:{name}")).collect();
        let files = files.iter().map(String::as_str);
        world.user.bulla(&["export"].into_iter().chain(files).chain(["-o", bundle]).collect::<Vec<_>>())
    };
    export(&["one/a.bin", "one/z.bin", "two/z.bin"], "x.tar").ends(0).says(&["warning", "\"z.bin\""]);
    // There is room for the file's own name, and none for its signature's.
    let long = format!("long/{}", "x".repeat(255));
    world.user.put(&long, "long");
    signed("short.bin", "long");
    let (limits, signature) = (Limits::default(), world.user.get("short.bin.jws.sig"));
    let source = FileSource::open(&world.user.path(&long), &[(EnvelopeType::Jws, signature)], &limits).unwrap();
    let extracted = extract(source.store.as_ref(), &[source.descriptor], &world.user.path("out"), &limits);
    assert!(matches!(extracted, Err(FileError::LongName { length: 263, limit: 255, .. })), "{extracted:?}");
    assert!(!world.user.path("out").exists());
    export(&["one/a.bin", &long], "long.tar").ends(0);
    let judged = ["--trust-store", "trust", "--blob-policy", "blobs.json", "--allow", "unsigned"];
    let says = "two files would be called \"z.bin\"";
    world
        .user
        .bulla(&[&["import", "x.tar", "--to", "file:out"], &judged[..]].concat())
        .fails(2, &["destination-unsupported"]);
    let import = ["import", "-", "--to", "file:out", "--allow", "unsigned"];
    piped(&world, &import, &world.user.get("x.tar")).fails(2, &["destination-unsupported"]).says(&[says]);
    assert!(!world.user.path("out").exists());
    // A name of the greatest length is no obstacle by itself.
    world.user.bulla(&[&["import", "long.tar", "--to", "file:out"], &judged[..]].concat()).ends(0);
    assert_eq!(world.user.get(&long.replace("long/", "out/")), b"long");
    assert_eq!(fs::read_dir(world.user.path("out")).unwrap().count(), 3, "a file, its signature, and a file");
}

/// However many files come through a pipe, few are open at a time.
#[test]
fn many_files_come_through_a_pipe() {
    let Some(world) = World::new("many_files_come_through_a_pipe", Key::P256) else { return };
    let names: Vec<String> = (0..200).map(|number| format!("many/{number}.bin")).collect();
    // Half of them have the same content.
    for (number, name) in names.iter().enumerate() {
        world.user.put(name, if number % 2 == 0 { "the same".to_owned() } else { format!("number {number}") });
    }
    let files: Vec<String> = names.iter().map(|name| format!("file:{name}")).collect();
    let export: Vec<&str> =
        ["export"].into_iter().chain(files.iter().map(String::as_str)).chain(["-o", "m.tar"]).collect();
    world.user.bulla(&export).ends(0);
    let program = env!("CARGO_BIN_EXE_bulla");
    let script = format!(
        "ulimit -n 32; cat m.tar | {program} import - --to file:out --allow unsigned --trust-store trust --blob-policy blobs.json"
    );
    let mut command = std::process::Command::new("/bin/sh");
    command.args(["-c", &script]).current_dir(world.user.folder()).env_clear().env("HOME", world.user.home());
    let ended = command.env("PATH", "/usr/bin:/bin").output().unwrap();
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    assert_eq!(fs::read_dir(world.user.path("out")).unwrap().count(), 200);
    for name in &names {
        assert_eq!(world.user.get(&name.replace("many/", "out/")), world.user.get(name), "{name}");
    }
}

#[test]
fn what_is_claimed_of_a_file_is_held_against_it() {
    let Some(world) = World::new("what_is_claimed_of_a_file", Key::P384) else { return };
    world.user.put("dir/file.txt", "content");
    sign(&world, "signer", &[]).ends(0);
    world.user.bulla(&["export", "file:dir/file.txt", "-o", "good.tar"]).ends(0);
    // Somebody exchanges the file, and leaves the digest that was signed as a claim.
    world.user.put("dir/file.txt", "contend");
    world.user.bulla(&["export", "file:dir/file.txt", "-o", "bad.tar"]).ends(0);
    let claim = |name: &str| {
        let tar = Tar::parse(&world.user.get(name));
        let carrier =
            tar.0.iter().find(|entry| entry.content.windows(22).any(|text| text == b"vnd.bulla.file.digests"));
        let carrier: Value = serde_json::from_slice(&carrier.unwrap().content).unwrap();
        carrier["layers"][0]["annotations"]["vnd.bulla.file.digests"].as_str().unwrap().to_owned()
    };
    let (good, bad) = (claim("good.tar"), claim("bad.tar"));
    assert!(good.starts_with("sha384:") && good != bad, "{good} {bad}");
    let trust = ["--trust-store", "trust", "--blob-policy", "blobs.json"];
    let verify = |bundle: &str| world.user.bulla(&[&["verify", bundle], &trust[..]].concat());
    verify("good.tar").ends(0);
    verify("bad.tar").ends(1).prints(&["target-mismatch"]);
    let lying = Tar::parse(&world.user.get("bad.tar")).rewritten(&bad, &good);
    world.user.put("lying.tar", &lying);
    verify("lying.tar").refuses(3, &["blob-digest-mismatch"]);
    piped(&world, &["verify", "-"], &lying).refuses(3, &["blob-digest-mismatch"]);
    let import = |bundle: &str| world.user.bulla(&[&["import", bundle, "--to", "file:in"], &trust[..]].concat());
    import("lying.tar").refuses(3, &["blob-digest-mismatch"]);
    piped(&world, &["import", "-", "--to", "file:in"], &lying).refuses(3, &["blob-digest-mismatch"]);
    assert!(contents(&world.user.path("in")).is_empty());
    // Nor is it called trusted where another's fault would end the reading.
    world.user.put("dir/other.txt", "unsigned");
    world.user.bulla(&["export", "file:dir/file.txt", "file:dir/other.txt", "-o", "two.tar"]).ends(0);
    let two = Tar::parse(&world.user.get("two.tar"));
    piped(&world, &["verify", "-"], &two.rewritten(&bad, &good)).refuses(3, &["blob-digest-mismatch"]);
    piped(&world, &["verify", "-"], &two.bytes()).ends(1);
    // Without a claim, a file is read before it is judged, and a pipe cannot be.
    let silent = Tar::parse(&world.user.get("good.tar")).rewritten(&good, "");
    world.user.put("silent.tar", &silent);
    verify("silent.tar").ends(0);
    piped(&world, &["import", "-", "--to", "file:in"], &silent).refuses(3, &["bundle-manifest-invalid"]);
    import("silent.tar").ends(0);
}
