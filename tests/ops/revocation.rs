//! OCSP responses and delta CRLs on their way: asked for at export, carried in a bundle, judged from it. openssl answers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bulla::archive::{BundleWriter, Compression, EvidenceRecord, OutputFile, names};
use bulla::code::DiagnosticCode;
use bulla::evidence::{EvidenceFetchError, EvidenceManifest, LiveEvidence};
use bulla::limits::Limits;
use bulla::notary::{SignatureManifest, SignatureManifestForm};
use bulla::oci::{Descriptor, MediaType};
use bulla::ops::closure::WalkOptions;
use bulla::ops::inspect::inspect;
use bulla::ops::pack::{Supplies, inventory, pack};
use bulla::ops::progress::{NoProgress, Progress};
use bulla::ops::seal::{SEAL_REPOSITORY, SealDemand, SealTerms, SubjectSeal};
use bulla::ops::supply::{GapPolicy, Sources, SupplyError, supply};
use bulla::ops::verify::{Depth, Judging, RootToVerify, Subject, Verification, verify};
use bulla::report::inspection::Inspection;
use bulla::report::v1::{Clock, ClockSource, NetworkUse, Report, Source as Place, SourceKind, Word};
use bulla::signer::{LocalKey, LocalSigner, SignatureArtifact, SigningOptions, sign_jws};
use bulla::store::ContentStore;
use bulla::store::bundle::BundleStore;
use bulla::store::memory::MemoryStore;
use bulla::store::overlay::Overlay;
use bulla::time::UnixTime;
use bulla::trust::{PolicyDocument, Trust, TrustStores};
use bulla::verification::{Freshness, RevocationReading};

use crate::collect::{gather, reference, source};
use crate::openssl::{Pki, ROOT, SIGNER, pki};

const NAME: &str = "h.io/app:v1";
const CRL_URL: &str = "http://crl.example/1.crl";
const DELTA_URL: &str = "http://crl.example/delta.crl";
const GOOD: &str = "V\t491231235959Z\t\tBEEF\tunknown\t/CN=leaf\n";
const REVOKED: &str = "R\t491231235959Z\t250102030405Z,superseded\tBEEF\tunknown\t/CN=leaf\n";

/// Authorities that openssl plays, and what they were asked.
struct Authorities {
    pki: Pki,
    index: Option<&'static str>,
    crls: BTreeMap<&'static str, Vec<u8>>,
    asked: Mutex<Vec<String>>,
}

fn refused(url: &str) -> EvidenceFetchError {
    EvidenceFetchError { code: DiagnosticCode::NetworkFailed, message: format!("{url}: nobody is there"), hint: None }
}

impl LiveEvidence for Authorities {
    fn fetch_crl(&self, url: &str, _: u64) -> Result<Vec<u8>, EvidenceFetchError> {
        self.asked.lock().unwrap().push(url.to_owned());
        self.crls.get(url).cloned().ok_or_else(|| refused(url))
    }

    fn fetch_ocsp(&self, url: &str, request: &[u8], _: u64) -> Result<Vec<u8>, EvidenceFetchError> {
        self.asked.lock().unwrap().push(url.to_owned());
        let index = self.index.filter(|_| url == "http://ocsp.example/b").ok_or_else(|| refused(url))?;
        self.pki.write("ocsp.txt", index);
        self.pki.write("request.der", request);
        self.pki.run(
            "ocsp -index ocsp.txt -CA root.pem -rsigner responder.pem -rkey responder.key -reqin request.der -respout \
             response.der -ndays 2",
        );
        Ok(self.pki.read("response.der"))
    }
}

/// An image signed by a leaf with those extensions, and a responder with those.
fn world(leaf: &str, responder: &str) -> Option<(Authorities, Arc<dyn ContentStore>, Descriptor)> {
    let pki = pki()?;
    for name in ["root", "leaf", "responder"] {
        pki.key(name, "ec:P-256");
    }
    let root = pki.issue("root", "root", None, ROOT, "");
    let leaf = pki.issue("leaf", "leaf", Some("root"), &format!("{SIGNER}\n{leaf}"), "-set_serial 0xBEEF");
    pki.issue("responder", "responder", Some("root"), &format!("extendedKeyUsage=OCSPSigning\n{responder}"), "");
    pki.run("pkcs8 -topk8 -nocrypt -in leaf.key -out leaf.p8");
    let key = LocalKey::from_pem(&String::from_utf8(pki.read("leaf.p8")).unwrap()).unwrap();
    let signer = LocalSigner::new(key, vec![leaf.der().to_vec(), root.der().to_vec()]).unwrap();
    let store = MemoryStore::new();
    let config = store.insert_blob(MediaType::OCI_EMPTY, SignatureManifest::CONFIG);
    let document = serde_json::json!({"schemaVersion": 2, "mediaType": MediaType::OCI_MANIFEST,
        "artifactType": "application/vnd.example", "config": config, "layers": []});
    let image = store.insert_manifest(MediaType::OCI_MANIFEST, serde_json::to_vec(&document).unwrap());
    let options = SigningOptions::new(leaf.validity().not_before.saturating_add(Duration::from_secs(1)));
    let envelope = sign_jws(&image, &signer, &options).unwrap();
    let signature = SignatureArtifact::build(SignatureManifestForm::ArtifactType, &image, envelope).unwrap();
    store.insert_blob(signature.envelope.descriptor.media_type.clone(), signature.envelope.bytes.clone());
    store.insert_blob(MediaType::OCI_EMPTY, SignatureManifest::CONFIG);
    store.insert_manifest(MediaType::OCI_MANIFEST, signature.manifest.clone());
    let authorities = Authorities { pki, index: Some(GOOD), crls: BTreeMap::new(), asked: Mutex::default() };
    Some((authorities, Arc::new(store), image))
}

fn supplies(
    authorities: &Authorities,
    store: &Arc<dyn ContentStore>,
    image: &Descriptor,
) -> Result<Supplies, SupplyError> {
    let collection = gather(vec![source(store, image, NAME)], &WalkOptions::default()).unwrap();
    let sources = Sources { supplied: &[], live: Some(authorities) };
    supply(&collection, &sources, GapPolicy::Refuse, &Limits::default())
}

fn bundle(supplies: &Supplies, store: &Arc<dyn ContentStore>, image: &Descriptor, folder: &Pki) -> BundleStore {
    let collection = gather(vec![source(store, image, NAME)], &WalkOptions::default()).unwrap();
    let inventory = inventory(&collection, supplies, crate::collect::NOW, "bulla/test").unwrap();
    conforms("bundle-v1", &serde_json::to_value(&inventory).unwrap());
    let file = folder.path("bundle.tar");
    let writer = BundleWriter::new(OutputFile::create(&file).unwrap(), &inventory, Compression::None).unwrap();
    let progress: Arc<dyn Progress> = Arc::new(NoProgress);
    pack(&collection, supplies, &inventory, writer, &progress).unwrap().commit().unwrap();
    BundleStore::open(&file, &Limits::default()).unwrap()
}

fn conforms(schema: &str, document: &serde_json::Value) {
    let path = format!("{}/schemas/{schema}.schema.json", env!("CARGO_MANIFEST_DIR"));
    let schema = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    if let Err(error) = jsonschema::validator_for(&schema).unwrap().validate(document) {
        assert!(error.to_string().is_empty(), "{error}: {document:#}");
    }
}

fn root_of(image: &Descriptor) -> RootToVerify {
    RootToVerify { descriptor: image.clone(), reference: Some(reference(NAME)) }
}

/// One strict statement for everything.
pub(crate) fn strict(stores: TrustStores) -> Trust {
    let policy = serde_json::json!({"version": "1.0", "trustPolicies": [{"name": "all", "registryScopes": ["*"],
        "signatureVerification": {"level": "strict"}, "trustStores": ["ca:x"], "trustedIdentities": ["*"]}]});
    let policy = PolicyDocument::parse(&serde_json::to_vec(&policy).unwrap()).unwrap();
    Trust { policy, files: None, stores }
}

/// What an operator says who asks for nothing in particular.
pub(crate) fn judging<'a>(trust: &'a Trust, at: UnixTime, live: Option<&'a dyn LiveEvidence>) -> Judging<'a> {
    Judging {
        plugins: None,
        trust,
        at,
        freshness: Freshness::Current,
        revocation: RevocationReading::Now,
        scope: None,
        seal: SealTerms { scope: SEAL_REPOSITORY.parse().unwrap(), demand: SealDemand::IfPresent },
        user_metadata: BTreeMap::new(),
        supplied: &[],
        live,
    }
}

fn judge(
    store: &dyn ContentStore,
    image: &Descriptor,
    pki: &Pki,
    at: UnixTime,
    live: Option<&dyn LiveEvidence>,
) -> Verification {
    let mut stores = TrustStores::default();
    stores.insert("ca:x".parse().unwrap(), vec![pki.certificate("root")]).unwrap();
    let trust = strict(stores);
    let judging = judging(&trust, at, live);
    let subject = Subject {
        store,
        roots: vec![root_of(image)],
        omitted: BTreeSet::new(),
        listed: BTreeSet::new(),
        seal: SubjectSeal::NoBundle,
    };
    verify(&subject, &Depth::Judge(judging), &Limits::default(), &NoProgress).unwrap()
}

fn report(verification: &Verification, at: UnixTime) -> Report {
    let place = Place { kind: SourceKind::Bundle, location: "bundle.tar".into() };
    let clock = Clock::new(at, ClockSource::Given, Freshness::Current, RevocationReading::Now, NetworkUse::Forbidden);
    let report = Report::new(place, Some(clock), verification, Vec::new());
    conforms("report-v1", &serde_json::to_value(&report).unwrap());
    report
}

/// When the evidence was made, and a minute.
fn soon(supplies: &Supplies) -> UnixTime {
    let made = supplies.evidence.iter().map(|(record, _)| match record {
        EvidenceRecord::Crl(crl) => crl.this_update,
        EvidenceRecord::Ocsp(response) => response.produced_at,
    });
    made.max().unwrap().saturating_add(Duration::from_secs(60))
}

const OCSP: &str = "authorityInfoAccess=OCSP;URI:http://ocsp.example/a,OCSP;URI:http://ocsp.example/b";

#[test]
fn a_response_travels_with_the_crl_of_its_responder() {
    let checked = format!("crlDistributionPoints=URI:{CRL_URL}");
    let Some((mut authorities, store, image)) = world(OCSP, &checked) else { return };
    // 10.13: without the responder's CRL its answer does not count.
    let Err(SupplyError::Missing { gaps }) = supplies(&authorities, &store, &image) else { unreachable!() };
    assert_eq!(
        gaps.iter().map(|(_, gap)| gap.code.clone()).collect::<Vec<_>>(),
        [DiagnosticCode::EvidenceUnavailable.into()]
    );
    let scope = "issuingDistributionPoint=critical,@idp\n[idp]\nfullname=URI:http://crl.example/1.crl";
    authorities.crls.insert(CRL_URL, authorities.pki.crl_der("root", &[], scope, ""));
    authorities.asked.lock().unwrap().clear();
    let supplied = supplies(&authorities, &store, &image).unwrap();
    // 10.06: the second address answers.
    let asked = authorities.asked.lock().unwrap().clone();
    assert_eq!(asked, ["http://ocsp.example/a", "http://ocsp.example/b", CRL_URL]);
    assert!(supplied.signatures[0].missing.is_empty());
    let bundle = bundle(&supplied, &store, &image, &authorities.pki);
    let at = soon(&supplied);
    let found = report(&judge(&bundle, &image, &authorities.pki, at, None), at);
    assert_eq!(found.verdict, Word::Trusted, "{found:#?}");
    let mut kinds: Vec<_> = found.artifacts[0].signatures[0].evidence.iter().map(|used| used.kind.as_str()).collect();
    kinds.sort_unstable();
    assert_eq!(kinds, ["crl", "ocsp"]);
    let late = at.saturating_add(Duration::from_secs(3 * 86_400));
    let found = report(&judge(&bundle, &image, &authorities.pki, late, None), late);
    assert_eq!((found.verdict, found.codes.as_slice()), (Word::Undecided, &[DiagnosticCode::OcspExpired][..]));
    let inspected = inspect(&bundle, &[root_of(&image)], &BTreeSet::new(), &Limits::default(), &NoProgress).unwrap();
    let place = Place { kind: SourceKind::Bundle, location: "bundle.tar".into() };
    let inspection = serde_json::to_value(Inspection::new(place, Some(bundle.inventory()), inspected)).unwrap();
    conforms("inspection-v1", &inspection);
    assert!(inspection.to_string().contains("ocspResponses"), "{inspection:#}");
    // From the bundle it can travel on where nobody answers: the same evidence goes along.
    authorities.index = None;
    authorities.crls.clear();
    let carried: Arc<dyn ContentStore> = Arc::new(bundle);
    let again = supplies(&authorities, &carried, &image).unwrap();
    assert_eq!(again.evidence, supplied.evidence);
}

#[test]
fn a_revocation_by_ocsp_is_found_carried_or_live() {
    let Some((mut authorities, store, image)) = world(OCSP, "noCheck=ignored") else { return };
    authorities.index = Some(REVOKED);
    let supplied = supplies(&authorities, &store, &image).unwrap();
    let at = soon(&supplied);
    let bundle = bundle(&supplied, &store, &image, &authorities.pki);
    let revoked = [DiagnosticCode::CertificateRevoked];
    for verification in [
        judge(&bundle, &image, &authorities.pki, at, None),
        judge(store.as_ref(), &image, &authorities.pki, at, Some(&authorities)),
    ] {
        let found = report(&verification, at);
        assert_eq!((found.verdict, found.codes.as_slice()), (Word::Rejected, &revoked[..]));
    }
    let offline = report(&judge(store.as_ref(), &image, &authorities.pki, at, None), at);
    assert_eq!((offline.verdict, offline.codes.as_slice()), (Word::Undecided, &[DiagnosticCode::OcspMissing][..]));
    // 10.05: a responder that knows nothing is no answer.
    authorities.index = Some("");
    let Err(SupplyError::Missing { gaps }) = supplies(&authorities, &store, &image) else { unreachable!() };
    assert_eq!(gaps[0].1.code, DiagnosticCode::OcspUnknown.into());
}

#[test]
fn one_kind_suffices_and_delta_crls_come_along() {
    let both = format!("{OCSP}\ncrlDistributionPoints=URI:{CRL_URL}");
    let Some((mut authorities, store, image)) = world(&both, "noCheck=ignored") else { return };
    let kinds = |supplied: &Supplies| {
        let count =
            |pick: fn(&EvidenceRecord) -> bool| supplied.evidence.iter().filter(|(found, _)| pick(found)).count();
        let deltas = count(|found| matches!(found, EvidenceRecord::Crl(crl) if crl.base_number.is_some()));
        let crls = count(|found| matches!(found, EvidenceRecord::Crl(_)));
        (count(|found| matches!(found, EvidenceRecord::Ocsp(_))), crls - deltas, deltas)
    };
    assert_eq!(kinds(&supplies(&authorities, &store, &image).unwrap()), (1, 0, 0), "10.01: no CRL is to be had");
    let crl = |extensions: &str| authorities.pki.crl_der("root", &[], &format!("[n]\n{extensions}"), "-crlexts n");
    let base = crl(&format!("2.5.29.20=DER:020105\nfreshestCRL=URI:{DELTA_URL}"));
    let delta = crl("2.5.29.20=DER:020106\n2.5.29.27=critical,DER:020105");
    let other = crl("2.5.29.20=DER:020107\n2.5.29.27=critical,DER:020106");
    authorities.crls.insert(CRL_URL, base);
    assert_eq!(kinds(&supplies(&authorities, &store, &image).unwrap()), (1, 1, 0));
    authorities.index = None;
    let elsewhere = crl("2.5.29.20=DER:020105\nfreshestCRL=URI:ldap://crl.example/x");
    let base = authorities.crls.insert(CRL_URL, elsewhere).unwrap();
    let missing = |authorities: &Authorities| match supplies(authorities, &store, &image) {
        Err(SupplyError::Missing { gaps }) => gaps.iter().map(|(_, gap)| (gap.code.clone(), gap.urls.len())).collect(),
        _ => Vec::new(),
    };
    assert_eq!(
        missing(&authorities),
        [(DiagnosticCode::DeltaCrlMissing.into(), 3)],
        "10.25: the delta CRL is not to be had over HTTP"
    );
    authorities.crls.insert(CRL_URL, base);
    assert_eq!(
        missing(&authorities),
        [(DiagnosticCode::EvidenceUnavailable.into(), 3)],
        "10.25: the delta CRL is missing"
    );
    authorities.crls.insert(DELTA_URL, other);
    assert_eq!(missing(&authorities), [(DiagnosticCode::CrlOutOfScope.into(), 3)], "10.26: it continues another base");
    authorities.crls.insert(DELTA_URL, delta);
    let supplied = supplies(&authorities, &store, &image).unwrap();
    assert_eq!(kinds(&supplied), (0, 1, 1));
    let at = soon(&supplied);
    let bundle = bundle(&supplied, &store, &image, &authorities.pki);
    let found = report(&judge(&bundle, &image, &authorities.pki, at, None), at);
    assert_eq!(found.verdict, Word::Trusted, "{found:#?}");
    let kinds: BTreeSet<_> = found.artifacts[0].signatures[0].evidence.iter().map(|used| used.kind.as_str()).collect();
    assert_eq!(kinds, BTreeSet::from(["crl", "delta-crl"]));
    authorities.crls.clear();
    assert_eq!(missing(&authorities), [(DiagnosticCode::EvidenceUnavailable.into(), 3)]);
}

/// What one distribution point says counts, although another does not answer.
#[test]
fn a_revocation_is_not_lost_where_another_address_fails() {
    let other = "http://crl.example/2.crl";
    let two = format!("crlDistributionPoints=URI:{CRL_URL},URI:{other}");
    let Some((mut authorities, store, image)) = world(&two, "noCheck=ignored") else { return };
    let good = authorities.pki.crl_der("root", &[], "", "");
    authorities.crls = BTreeMap::from([(CRL_URL, good.clone()), (other, good)]);
    let supplied = supplies(&authorities, &store, &image).unwrap();
    let before = bundle(&supplied, &store, &image, &authorities.pki);
    assert_eq!(
        report(&judge(&before, &image, &authorities.pki, soon(&supplied), None), soon(&supplied)).verdict,
        Word::Trusted
    );
    let revoking = authorities.pki.crl_der("root", &[("BEEF", "250102030405Z,superseded")], "", "");
    for answering in [CRL_URL, other] {
        authorities.crls = BTreeMap::from([(answering, revoking.clone())]);
        let at = soon(&supplied);
        let live = report(&judge(store.as_ref(), &image, &authorities.pki, at, Some(&authorities)), at);
        assert_eq!((live.verdict, live.codes.as_slice()), (Word::Rejected, &[DiagnosticCode::CertificateRevoked][..]));
    }
    // Exported again: the CRL that is carried already fills the gap, and takes nothing away.
    let carried: Arc<dyn ContentStore> = Arc::new(before);
    let again = supplies(&authorities, &carried, &image).unwrap();
    assert_eq!(again.evidence.len(), 2);
    let after = bundle(&again, &store, &image, &authorities.pki);
    let found = report(&judge(&after, &image, &authorities.pki, soon(&again), None), soon(&again));
    assert_eq!((found.verdict, found.codes.as_slice()), (Word::Rejected, &[DiagnosticCode::CertificateRevoked][..]));
}

/// A carrier, or whoever may push referrers, names the CRL as something else: it stays what it is, beside a "good" too.
#[test]
fn a_crl_that_is_also_called_something_else_still_revokes() {
    let both = format!("{OCSP}\ncrlDistributionPoints=URI:{CRL_URL}");
    let Some((mut authorities, store, image)) = world(&both, "noCheck=ignored") else { return };
    let revoking = authorities.pki.crl_der("root", &[("BEEF", "250102030405Z,superseded")], "", "");
    authorities.crls.insert(CRL_URL, revoking.clone());
    let supplied = supplies(&authorities, &store, &image).unwrap();
    let at = soon(&supplied);
    let signature = store.referrers(&image).unwrap().descriptors.remove(0);
    for (kind, salt) in
        [names::OCSP, names::TIMESTAMP].into_iter().flat_map(|kind| (0..6).map(move |salt| (kind, salt)))
    {
        let added = MemoryStore::new();
        for (_, bytes) in &supplied.evidence {
            added.insert_blob("application/octet-stream", Arc::clone(bytes));
        }
        for (_, bytes) in &supplied.evidence_manifests {
            added.insert_manifest(MediaType::OCI_MANIFEST, Arc::clone(bytes));
        }
        let lie = Descriptor::of(kind, &revoking);
        let lie = EvidenceManifest::new(&signature, [(lie, vec![format!("http://crl.example/{salt}")])]);
        added.insert_manifest(MediaType::OCI_MANIFEST, lie.encode().unwrap().1);
        added.insert_blob(MediaType::OCI_EMPTY, SignatureManifest::CONFIG);
        let store = Overlay::new(Arc::clone(&store), added);
        let found = report(&judge(&store, &image, &authorities.pki, at, None), at);
        assert_eq!(
            (found.verdict, found.codes.as_slice()),
            (Word::Rejected, &[DiagnosticCode::CertificateRevoked][..])
        );
    }
}
