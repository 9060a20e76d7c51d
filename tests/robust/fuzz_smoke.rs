//! Each fuzz target on its seeds and on thousands of mutations of them, the same ones every time: what a fuzzer does for
//! hours with a toolchain of its own, an ordinary test does for seconds.

use std::fs;
use std::path::{Path, PathBuf};

use crate::targets::{Body, TARGETS, repository};

/// For each target. `BULLA_FUZZ_EXECUTIONS` sets another number, for long runs with `--release`.
const EXECUTIONS: usize = 10_000;
/// Seeds that are taken of each kind of file among the conformance cases.
const MOST_SEEDS: usize = 60;

fn executions() -> usize {
    std::env::var("BULLA_FUZZ_EXECUTIONS").map_or(EXECUTIONS, |number| number.parse().unwrap())
}

/// The targets whose seeds lie among the conformance cases, and how those files end.
const IN_CASES: [(&str, &str); 6] = [
    ("jws", "jws"),
    ("cose", "cose"),
    ("certificate", "der"),
    ("crl", "crl"),
    ("ocsp", "ocsp"),
    ("timestamp", "token"),
];

fn collect(folder: &Path, extension: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if entry.file_type().unwrap().is_dir() {
            collect(&path, extension, found);
        } else if extension.is_empty() || path.extension().is_some_and(|end| end == extension) {
            found.push(path);
        }
    }
}

/// What a target begins with.
fn seeds(target: &str) -> Vec<Vec<u8>> {
    let mut files = Vec::new();
    match IN_CASES.iter().find(|(name, _)| *name == target) {
        Some((_, extension)) => collect(&repository().join("testdata/cases"), extension, &mut files),
        None => collect(&repository().join("tests/fuzz/corpus").join(target), "", &mut files),
    }
    files.sort();
    let step = files.len().div_ceil(MOST_SEEDS).max(1);
    files.iter().step_by(step).map(|path| fs::read(path).unwrap()).collect()
}

/// Pseudorandom numbers (xorshift64*).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        usize::try_from(self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33).unwrap() % limit.max(1)
    }
}

/// Values at which something changes: of signs, lengths, digits, brackets.
const TELLING: [u8; 24] = [
    0, 1, 2, 0x7f, 0x80, 0x81, 0x82, 0x84, 0xff, 0xfe, 0x1f, 0x3f, b'0', b'7', b'8', b'9', b'"', b'{', b'}', b'[',
    b',', b'\\', b'/', b':',
];

/// A few changes at random places.
fn mutate(seed: &[u8], other: &[u8], numbers: &mut Numbers) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..=numbers.below(4) {
        let at = numbers.below(bytes.len());
        let end = (at + 1 + numbers.below(64)).min(bytes.len());
        match numbers.below(9) {
            _ if bytes.is_empty() => bytes.push(TELLING[numbers.below(TELLING.len())]),
            0 | 1 => bytes[at] ^= 1 << numbers.below(8),
            2 => bytes[at] = TELLING[numbers.below(TELLING.len())],
            3 => bytes[at] = bytes[at].wrapping_add(1 + 254 * u8::from(numbers.below(2) == 0)),
            4 => drop(bytes.drain(at..end)),
            5 => bytes.splice(at..at, bytes[at..end].to_vec()).for_each(drop),
            6 => bytes[at..end].fill(TELLING[numbers.below(TELLING.len())]),
            7 if numbers.below(4) == 0 => bytes.truncate(at),
            _ => {
                let from = numbers.below(other.len());
                let part = &other[from..(from + end - at).min(other.len())];
                let over = (at + part.len() * numbers.below(2)).min(bytes.len());
                bytes.splice(at..over, part.iter().copied()).for_each(drop);
            }
        }
    }
    bytes
}

/// Runs a body. What fails is written to a file, whose name says how to do it again.
fn run(name: &str, body: Body, bytes: &[u8]) {
    if let Err(panic) = std::panic::catch_unwind(|| body(bytes)) {
        let path = std::env::temp_dir().join(format!("bulla-fuzz-{name}"));
        fs::write(&path, bytes).unwrap();
        eprintln!("{name} failed on {}", path.display());
        std::panic::resume_unwind(panic);
    }
}

fn smoke(name: &str) {
    let (_, body) = TARGETS.into_iter().find(|(target, _)| *target == name).unwrap();
    let seeds = seeds(name);
    assert!(!seeds.is_empty(), "{name} has no seeds");
    seeds.iter().for_each(|seed| run(name, body, seed));
    let mut numbers = Numbers(0x6275_6c6c_6100 + name.len() as u64);
    for _ in 0..executions() {
        let (one, other) = (&seeds[numbers.below(seeds.len())], &seeds[numbers.below(seeds.len())]);
        run(name, body, &mutate(one, other, &mut numbers));
    }
}

/// One test for each target, so that they run beside each other.
macro_rules! targets {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            smoke(stringify!($name));
        })*

        #[test]
        fn every_target_is_run() {
            assert_eq!(TARGETS.map(|(name, _)| name), [$(stringify!($name)),*]);
        }
    };
}

targets! { tar seek_table bundle_manifest layout jws cose certificate crl ocsp timestamp policy reference }

/// A fuzzer finds each of them too.
#[test]
fn every_target_is_built() {
    let package = fs::read_to_string(repository().join("tests/fuzz/Cargo.toml")).unwrap();
    for (name, _) in TARGETS {
        assert!(package.contains(&format!("name = \"{name}\"")), "{name}");
        let body = fs::read_to_string(repository().join(format!("tests/fuzz/fuzz_targets/{name}.rs"))).unwrap();
        assert!(body.contains(&format!("bulla_fuzz::{name}(bytes)")), "{name}");
    }
}
