//! Notation itself: where it is, and a copy of it whose clock stands still.
//!
//! Most cases are judged at a time of their own, and Notation has no option for that. It is a Go program, which asks the kernel
//! for the time without going through the C library, so that `faketime` does not reach it. But it asks in one place only,
//! the function `time.now`; a copy of the program in which that function says a certain time judges as Notation does then. Nothing
//! else is changed, and a test holds the copy to the original where the clock says the same.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use bulla::time::UnixTime;

/// The program on the PATH.
pub(super) fn installed() -> PathBuf {
    let found = crate::skip::find("notation");
    found.expect("whoever asks has looked whether it is there")
}

/// Writes a copy whose clock says `at`, for ever. An error says in what this build of it is unlike those that are known.
pub(super) fn hold(original: &Path, at: UnixTime, copy: &Path) -> Result<(), &'static str> {
    let mut program = fs::read(original).map_err(|_| "it cannot be read")?;
    let place = Elf(&program).function(b"time.now").ok_or("its function time.now is not found")?;
    let code = clock(at);
    program.get_mut(place..place + code.len()).ok_or("time.now is cut off")?.copy_from_slice(&code);
    fs::write(copy, program).map_err(|_| "no copy can be written")?;
    fs::set_permissions(copy, fs::Permissions::from_mode(0o755)).map_err(|_| "no copy can be executed")
}

/// `func now() (sec int64, nsec int32, mono int64)` for x86-64, with Go's registers. Without a monotonic reading (0) Go computes
/// with the wall clock.
fn clock(at: UnixTime) -> Vec<u8> {
    let nanoseconds = i32::try_from(at.nanos()).unwrap();
    let mut code = vec![0x48, 0xb8]; // movabs rax, seconds
    code.extend(at.seconds().to_le_bytes());
    code.push(0xbb); // mov ebx, nanoseconds
    code.extend(nanoseconds.to_le_bytes());
    code.extend([0x31, 0xc9, 0xc3]); // xor ecx, ecx; ret
    code
}

/// A program for x86-64 Linux that Go 1.20 or newer made.
struct Elf<'a>(&'a [u8]);

/// A section: the address at which it is loaded, and where it lies in the file.
#[derive(Clone, Copy)]
struct Section {
    name: usize,
    address: usize,
    offset: usize,
    size: usize,
}

impl Elf<'_> {
    fn number<const N: usize>(&self, at: usize) -> Option<usize> {
        let bytes = self.0.get(at..at + N)?;
        bytes.iter().rev().try_fold(0_usize, |sum, byte| sum.checked_mul(256)?.checked_add(usize::from(*byte)))
    }

    fn text(&self, at: usize) -> Option<&[u8]> {
        self.0.get(at..)?.split(|byte| *byte == 0).next()
    }

    fn sections(&self) -> Option<Vec<Section>> {
        let x86_64 = self.0.starts_with(b"\x7fELF\x02\x01") && self.number::<2>(0x12)? == 62;
        let (table, count) = (self.number::<8>(0x28)?, self.number::<2>(0x3c)?);
        let section = |index: usize| {
            let at = table + index * 64;
            let [name, address] = [self.number::<4>(at)?, self.number::<8>(at + 16)?];
            Some(Section { name, address, offset: self.number::<8>(at + 24)?, size: self.number::<8>(at + 32)? })
        };
        x86_64.then(|| (0..count).map(section).collect())?
    }

    fn section(&self, name: &[u8]) -> Option<Section> {
        let sections = self.sections()?;
        let names = sections.get(self.number::<2>(0x3e)?)?.offset;
        sections.into_iter().find(|section| self.text(names + section.name) == Some(name))
    }

    /// Where a function begins in the file: by the table of functions that every Go program has (`runtime/symtab.go`),
    /// relative to the beginning of Go's code, which stands in the table's header or, since Go 1.26, in `runtime.moduledata`.
    fn function(&self, name: &[u8]) -> Option<usize> {
        let table = self.section(b".gopclntab")?;
        let [count, start] = [self.number::<8>(table.offset + 8)?, self.number::<8>(table.offset + 24)?];
        let [names, functions] = [self.number::<8>(table.offset + 32)?, self.number::<8>(table.offset + 64)?];
        let known = self.number::<4>(table.offset)? == 0xffff_fff1 && table.size > functions;
        let start = if start == 0 { self.number::<8>(self.section(b".go.module")?.offset + 176)? } else { start };
        let code = self.section(b".text")?;
        let entry = |index: usize| {
            let [begin, record] = [0, 4].map(|part| self.number::<4>(table.offset + functions + index * 8 + part));
            let named = self.number::<4>(table.offset + functions + record? + 4)?;
            (self.text(table.offset + names + named)? == name).then_some(begin?)
        };
        let begin = known.then(|| (0..count).find_map(entry))??;
        (start + begin)
            .checked_sub(code.address)
            .filter(|inside| *inside < code.size)
            .map(|inside| code.offset + inside)
    }
}

/// A run that has ended.
#[derive(Debug, Clone)]
pub(super) struct Ended {
    pub(super) succeeded: bool,
    /// What it printed, on both outputs.
    pub(super) said: String,
}

impl Ended {
    /// The JSON document that it printed, whatever it said beside it.
    pub(super) fn document(&self) -> Option<serde_json::Value> {
        let (begin, end) = (self.said.find('{')?, self.said.rfind('}')?);
        serde_json::from_str(self.said.get(begin..=end)?).ok()
    }
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        let said = [output.stdout, output.stderr].concat();
        Self { succeeded: output.status.success(), said: String::from_utf8_lossy(&said).into_owned() }
    }
}

/// Runs a copy with a home of its own, which sees nothing of the network but what `proxy` answers.
pub(super) fn run(program: &Path, home: &Path, proxy: &str, arguments: &[String]) -> Ended {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(home).stdin(Stdio::null()).env_clear();
    command.env("HOME", home).env("HTTP_PROXY", format!("http://{proxy}"));
    loop {
        match command.output() {
            // Another thread forked while the copy was being written; its child holds it open until it becomes a program.
            Err(busy) if busy.kind() == std::io::ErrorKind::ExecutableFileBusy => std::thread::yield_now(),
            ended => return ended.unwrap().into(),
        }
    }
}
