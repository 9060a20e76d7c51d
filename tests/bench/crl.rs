//! A CRL with a million entries: read, its signature checked, two certificates looked up on it; beside `openssl crl` on the
//! same file.
//!
//! `cargo bench --bench crl [-- ENTRIES]`. Each run is a process of its own, so that its peak memory is its own. Key, root
//! and leaves are openssl's; the list is written here, byte by byte, and signed by openssl.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench prints, and ends where it fails"
)]

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use bulla::pki::{Certificate, Crl, CrlEntry};

const RUNS: usize = 5;
/// Looked up on the list that is asked often.
const OFTEN: u32 = 10_000;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let Some(place) = words.iter().position(|word| word == "--measure") {
        return measure(Path::new(&words[place + 1]));
    }
    let entries = words.iter().filter_map(|word| word.parse().ok()).next().unwrap_or(1_000_000_u32);
    if Command::new("openssl").arg("version").stdout(Stdio::null()).status().is_err() {
        return println!("openssl is not installed: nothing to measure beside");
    }
    let folder = tempfile::tempdir().unwrap();
    prepare(folder.path(), entries);
    let size = fs::metadata(folder.path().join("big.crl")).unwrap().len();
    println!("{entries} entries, {:.1} MB, medians of {RUNS} runs", mega(size));
    let runs: Vec<Vec<u64>> = (0..RUNS).map(|_| run_once(folder.path())).collect();
    let column = |place: usize| {
        let mut values: Vec<u64> = runs.iter().map(|run| run[place]).collect();
        values.sort_unstable();
        values[RUNS / 2]
    };
    let [read, verify, lookup, often, grown] = [0, 1, 2, 3, 4].map(column);
    println!("bulla    read {} + signature {} + two lookups {}", ms(read), ms(verify), ms(lookup));
    println!("         = {} in all", ms(read + verify + lookup));
    println!("         {OFTEN} further lookups {} (with an index of 8 bytes an entry)", ms(often));
    println!(
        "         memory grown by {:.1} MB at most, of which the file is {:.1} MB",
        mega(grown * 1024),
        mega(size)
    );
    let parse = openssl_time(folder.path(), &["crl", "-in", "big.crl", "-inform", "DER", "-noout"]);
    println!("openssl  crl -noout {}", ms(parse));
    let verify =
        openssl_time(folder.path(), &["crl", "-in", "big.crl", "-inform", "DER", "-noout", "-CAfile", "root.pem"]);
    println!("         crl -noout -CAfile {} (with the signature)", ms(verify));
}

fn mega(bytes: u64) -> f64 {
    let kilo = u32::try_from(bytes / 1_000).expect("a size");
    f64::from(kilo) / 1_000.0
}

fn ms(micros: u64) -> String {
    format!("{}.{:01} ms", micros / 1_000, micros % 1_000 / 100)
}

/// Peak memory of this process so far, in KiB.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap()
}

fn measure(folder: &Path) {
    let certificate = |name: &str| Certificate::from_der(&fs::read(folder.join(name)).unwrap()).unwrap();
    let (root, listed, other) = (certificate("root.der"), certificate("listed.der"), certificate("other.der"));
    let before = peak();
    let started = Instant::now();
    let crl = Crl::from_der(fs::read(folder.join("big.crl")).unwrap()).unwrap();
    let read = started.elapsed();
    let started = Instant::now();
    let verified = crl.verify(&root).unwrap();
    let signature = started.elapsed();
    let started = Instant::now();
    assert!(matches!(verified.lookup(listed.serial()), Ok(CrlEntry::Revoked(_))));
    assert_eq!(verified.lookup(other.serial()), Ok(CrlEntry::NotListed));
    let lookup = started.elapsed();
    let started = Instant::now();
    for _ in 0..OFTEN / 2 {
        assert!(matches!(verified.lookup(listed.serial()), Ok(CrlEntry::Revoked(_))));
        assert_eq!(verified.lookup(other.serial()), Ok(CrlEntry::NotListed));
    }
    let often = started.elapsed();
    let grown = peak() - before;
    println!("{} {} {} {} {grown}", micros(read), micros(signature), micros(lookup), micros(often));
}

fn run_once(folder: &Path) -> Vec<u64> {
    let this = std::env::current_exe().unwrap();
    let output = Command::new(this).arg("--measure").arg(folder).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().split_whitespace().map(|word| word.parse().unwrap()).collect()
}

fn openssl_time(folder: &Path, arguments: &[&str]) -> u64 {
    let mut times: Vec<u64> = (0..RUNS)
        .map(|_| {
            let started = Instant::now();
            openssl(folder, arguments);
            micros(started.elapsed())
        })
        .collect();
    times.sort_unstable();
    times[RUNS / 2]
}

fn openssl(folder: &Path, arguments: &[&str]) {
    let output = Command::new("openssl").current_dir(folder).args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A root, two leaves and the list, which has the first leaf in its last entry.
fn prepare(folder: &Path, entries: u32) {
    let run = |line: &str| openssl(folder, &line.split(' ').collect::<Vec<_>>());
    run("ecparam -name prime256v1 -genkey -noout -out root.key");
    run("req -x509 -new -key root.key -subj /C=NL/O=bench/CN=root -days 30 -out root.pem \
         -addext keyUsage=critical,keyCertSign,cRLSign -addext basicConstraints=critical,CA:true");
    run("x509 -in root.pem -outform DER -out root.der");
    for (name, serial) in [("listed", entries), ("other", entries + 1)] {
        run(&format!(
            "req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout {name}.key \
                      -subj /C=NL/O=bench/CN={name} -out {name}.csr"
        ));
        let serial = format!("0x{}", hex(&serial_of(serial)));
        run(&format!(
            "x509 -req -in {name}.csr -CA root.pem -CAkey root.key -set_serial {serial} -days 30 \
                      -outform DER -out {name}.der"
        ));
    }
    let root = Certificate::from_der(&fs::read(folder.join("root.der")).unwrap()).unwrap();
    let tbs = tbs(root.subject().der(), entries);
    fs::write(folder.join("tbs"), &tbs).unwrap();
    run("dgst -sha256 -sign root.key -out signature tbs");
    let signature = fs::read(folder.join("signature")).unwrap();
    let bits = tlv(0x03, &[&[0][..], &signature].concat());
    fs::write(folder.join("big.crl"), tlv(0x30, &[tbs, ECDSA_SHA256.to_vec(), bits].concat())).unwrap();
}

/// `SEQUENCE { ecdsa-with-SHA256 }`
const ECDSA_SHA256: [u8; 12] = [0x30, 0x0a, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];

/// 16 octets that look random, as those of real authorities do, and are positive.
fn serial_of(number: u32) -> Vec<u8> {
    let mut state = u64::from(number) << 32 | u64::from(!number);
    let mut octets = Vec::new();
    for _ in 0..2 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        octets.extend((state ^ state >> 29).to_be_bytes());
    }
    octets[0] = octets[0] & 0x3f | 0x40;
    octets
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Half of the entries have a reason.
fn tbs(issuer: &[u8], entries: u32) -> Vec<u8> {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let time = |seconds: u64| {
        let text = jiff::Timestamp::from_second(i64::try_from(seconds).unwrap()).unwrap();
        let text = text.strftime("%y%m%d%H%M%SZ").to_string();
        tlv(0x17, text.as_bytes())
    };
    let (date, reason) = (time(now - 3_600), [0x30, 0x0c, 0x30, 0x0a, 6, 3, 0x55, 0x1d, 0x15, 4, 3, 0x0a, 1, 4]);
    let mut list = Vec::new();
    for number in 1..=entries {
        let serial = tlv(2, &serial_of(number));
        let reason: &[u8] = if number % 2 == 0 { &reason } else { &[] };
        list.extend(tlv(0x30, &[&serial, &date, reason].concat()));
    }
    let number = [0xa0, 0x0e, 0x30, 0x0c, 0x30, 0x0a, 6, 3, 0x55, 0x1d, 0x14, 4, 3, 2, 1, 1];
    let fields =
        [tlv(2, &[1]), ECDSA_SHA256.to_vec(), issuer.to_vec(), date, time(now + 86_400), tlv(0x30, &list)].concat();
    tlv(0x30, &[fields, number.to_vec()].concat())
}

fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len()).unwrap();
    let octets: Vec<u8> = length.to_be_bytes().into_iter().skip_while(|octet| *octet == 0).collect();
    let mut out = vec![tag];
    match length {
        0..=127 => out.push(u8::try_from(length).unwrap()),
        _ => {
            out.push(0x80 | u8::try_from(octets.len()).unwrap());
            out.extend(octets);
        }
    }
    out.extend_from_slice(content);
    out
}
