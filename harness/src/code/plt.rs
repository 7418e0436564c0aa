//! The stubs through which code calls functions of other files.

use super::Image;
use iced_x86::{Code, Decoder, DecoderOptions, FlowControl};

/// A function of another file, and the stub of the procedure linkage table that jumps to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    /// The function's name as the linker knows it.
    pub name: String,
    /// The stub's first instruction.
    pub stub: u64,
    /// How many bytes the stub has.
    pub size: u64,
}

/// How many bytes a stub has at most. Where functions are bound when they are first called, the jump is followed by what
/// calls the loader.
const STUB: u64 = 16;

/// The stubs of all forms (`.plt`, `.plt.sec` and `.plt.got`, bound lazily or at the start), by address: what jumps through
/// a slot whose function is known.
pub(super) fn imports(image: &Image) -> Vec<Import> {
    let mut imports = Vec::new();
    for section in image.sections() {
        if !section.executable || !section.name.starts_with(".plt") {
            continue;
        }
        let Some(bytes) = image.bytes(section.address, section.size) else { continue };
        let mut landing = None;
        for instruction in Decoder::with_ip(64, bytes, section.address, DecoderOptions::NONE) {
            if instruction.code() == Code::Endbr64 {
                landing = Some(instruction.ip());
                continue;
            }
            let start = landing.take().unwrap_or(instruction.ip());
            if instruction.flow_control() != FlowControl::IndirectBranch
                || !instruction.is_ip_rel_memory_operand()
            {
                continue;
            }
            if let Some(name) = image.slots().get(&instruction.ip_rel_memory_address()) {
                let size = section.address.saturating_add(section.size).saturating_sub(start).min(STUB);
                imports.push(Import { name: name.clone(), stub: start, size });
            }
        }
    }
    imports.sort_by(|a, b| (a.stub, &a.name).cmp(&(b.stub, &b.name)));
    for index in 1..imports.len() {
        let next = imports[index].stub;
        let import = &mut imports[index - 1];
        import.size = import.size.min(next - import.stub);
    }
    imports
}
