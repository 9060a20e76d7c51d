//! The demo's image: one static program for each of two architectures, the same bytes every time.

use serde::Serialize;
use serde_json::json;

use super::{DemoError, manifest};
use crate::oci::{Descriptor, IndexDocument, MediaType, Platform};

const LAYER_TYPE: &str = "application/vnd.oci.image.layer.v1.tar";
const MESSAGE: &[u8; 31] = b"hello from the image of a demo\n";
const MESSAGE_LENGTH: u8 = 31;

/// The image's content and the index on top of it.
pub(super) struct Image {
    pub(super) index: Descriptor,
    pub(super) blobs: Vec<(Descriptor, Vec<u8>)>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ImageManifest {
    schema_version: u8,
    media_type: &'static str,
    config: Descriptor,
    layers: Vec<Descriptor>,
}

#[derive(Clone, Copy)]
enum Architecture {
    Amd64,
    Arm64,
}

pub(super) fn build() -> Result<Image, DemoError> {
    let mut blobs = Vec::new();
    let mut children = Vec::new();
    for architecture in [Architecture::Amd64, Architecture::Arm64] {
        children.push(platform_image(architecture, &mut blobs)?);
    }
    let bytes = IndexDocument::new(children).to_bytes()?;
    let index = Descriptor::of(MediaType::OCI_INDEX, &bytes);
    blobs.push((index.clone(), bytes));
    Ok(Image { index, blobs })
}

/// Adds layer, config and manifest of one platform and returns the manifest as the index lists it.
fn platform_image(architecture: Architecture, blobs: &mut Vec<(Descriptor, Vec<u8>)>) -> Result<Descriptor, DemoError> {
    let layer_bytes = layer(&architecture.program()).map_err(DemoError::Layer)?;
    let layer = Descriptor::of(LAYER_TYPE, &layer_bytes);
    let (config, config_bytes) = manifest(
        MediaType::OCI_CONFIG,
        &json!({
            "architecture": architecture.name(),
            "config": { "Entrypoint": ["/hello"] },
            "os": "linux",
            "rootfs": { "diff_ids": [layer.digest.to_string()], "type": "layers" }
        }),
    )?;
    let document = ImageManifest {
        schema_version: 2,
        media_type: MediaType::OCI_MANIFEST,
        config: config.clone(),
        layers: vec![layer.clone()],
    };
    let (descriptor, bytes) = manifest(MediaType::OCI_MANIFEST, &document)?;
    blobs.extend([(layer, layer_bytes), (config, config_bytes), (descriptor.clone(), bytes)]);
    Ok(Descriptor { platform: Platform::parse(&format!("linux/{}", architecture.name())).map(Box::new), ..descriptor })
}

/// A layer with one file, `/hello`.
fn layer(program: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut header = tar::Header::new_ustar();
    header.set_path("hello")?;
    header.set_size(u64::try_from(program.len()).unwrap_or(u64::MAX));
    header.set_mode(0o755);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header.set_entry_type(tar::EntryType::Regular);
    header.set_cksum();
    let mut builder = tar::Builder::new(Vec::new());
    builder.append(&header, program)?;
    builder.into_inner()
}

impl Architecture {
    const fn name(self) -> &'static str {
        match self {
            Self::Amd64 => "amd64",
            Self::Arm64 => "arm64",
        }
    }

    /// The number in an ELF header.
    const fn machine(self) -> u16 {
        match self {
            Self::Amd64 => 62,
            Self::Arm64 => 183,
        }
    }

    /// write(1, message, length), exit(0). The message follows the code.
    fn code(self) -> Vec<u8> {
        match self {
            Self::Amd64 => {
                let mut code = vec![0xb8, 1, 0, 0, 0]; // mov eax, 1 (write)
                code.extend([0xbf, 1, 0, 0, 0]); // mov edi, 1
                code.extend([0x48, 0x8d, 0x35, 16, 0, 0, 0]); // lea rsi, [rip + 16]
                code.extend([0xba, MESSAGE_LENGTH, 0, 0, 0]); // mov edx, length
                code.extend([0x0f, 0x05]); // syscall
                code.extend([0xb8, 60, 0, 0, 0]); // mov eax, 60 (exit)
                code.extend([0x31, 0xff, 0x0f, 0x05]); // xor edi, edi; syscall
                code
            }
            Self::Arm64 => {
                let instructions: [u32; 8] = [
                    0xd280_0020,                                    // mov x0, #1
                    0x1000_00e1,                                    // adr x1, . + 28
                    0xd280_0002 | (u32::from(MESSAGE_LENGTH) << 5), // mov x2, #length
                    0xd280_0808,                                    // mov x8, #64 (write)
                    0xd400_0001,                                    // svc #0
                    0xd280_0000,                                    // mov x0, #0
                    0xd280_0ba8,                                    // mov x8, #93 (exit)
                    0xd400_0001,                                    // svc #0
                ];
                instructions.into_iter().flat_map(u32::to_le_bytes).collect()
            }
        }
    }

    /// A static ELF program with one segment that holds the whole file.
    fn program(self) -> Vec<u8> {
        const BASE: u64 = 0x40_0000;
        const HEADERS: u64 = 64 + 56;
        let code = self.code();
        let size = HEADERS + u64::try_from(code.len() + MESSAGE.len()).unwrap_or(u64::MAX - HEADERS);
        let mut file = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let mut half = |values: &[u16]| file.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        half(&[2, self.machine(), 1, 0]); // executable, machine, version 1
        let mut word = |values: &[u64]| file.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        word(&[BASE + HEADERS, 64, 0]); // entry, program headers, no section headers
        let mut half = |values: &[u16]| file.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        half(&[0, 0, 64, 56, 1, 64, 0, 0]); // flags; sizes and counts of headers
        half(&[1, 0, 5, 0]); // PT_LOAD, readable and executable
        let mut word = |values: &[u64]| file.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        word(&[0, BASE, BASE, size, size, 0x1_0000]); // offset, addresses, sizes, alignment
        file.extend(code);
        file.extend(MESSAGE);
        file
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_image_is_the_same_every_time() {
        let image = build().unwrap();
        assert_eq!(image.index.digest, build().unwrap().index.digest);
        assert_eq!(
            image.index.digest.to_string(),
            "sha256:b67e4cf1c546736a02ef1dfa3e93377032c60b547d28d0308ec8cd68018eb76b"
        );
    }

    #[test]
    fn the_code_finds_its_message() {
        assert_eq!(MESSAGE.len(), usize::from(MESSAGE_LENGTH));
        // The displacement in `lea` counts from behind it (17), the one in `adr` from itself (4).
        assert_eq!(Architecture::Amd64.code().len(), 17 + 16);
        assert_eq!(Architecture::Arm64.code().len(), 4 + 28);
    }

    #[test]
    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    fn the_program_runs() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("hello");
        std::fs::write(&path, Architecture::Amd64.program()).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        match std::process::Command::new(&path).output() {
            Ok(output) => {
                assert!(output.status.success());
                assert_eq!(output.stdout, MESSAGE);
            }
            Err(error) => eprintln!("SKIP the_program_runs: programs in {} do not start: {error}", path.display()),
        }
    }
}
