//! What the log says of a process that an exception ends: cause, registers, and a backtrace with modules and offsets.

use super::backtrace::{callers, module_in_link_map, Memory, Module, ModuleName};
use super::exception::Cause;
use kernel_hal::context::UserContext;
use zircon_object::object::KernelObject;
use zircon_object::task::{Process, Thread};
use zircon_object::vm::{AddressSpace, Perms, RegionInfo, RegionKind};

/// A program's memory as the kernel reads it: permissions do not matter, and what is not there is not asked for.
impl Memory for AddressSpace {
    fn read(&self, addr: usize, into: &mut [u8]) -> Option<()> {
        let wanted = into.len();
        (self.read_memory(addr, into).ok()? == wanted).then_some(())
    }
}

/// Writes the report.
pub(crate) fn write(thread: &Thread, context: &UserContext, cause: Cause) {
    let process = thread.process();
    let (process_name, thread_name) = (name_of(&**process), name_of(thread));
    log::error!(
        "<== {} in process '{}' ({}), thread '{}' ({}): killed",
        describe(cause),
        process_name.as_str(),
        process.base().koid().0,
        thread_name.as_str(),
        thread.base().koid().0
    );
    match cause {
        Cause::PageFault { addr, code } => {
            log::error!(
                "    fault address {addr:#018x}, error code {code:#x}: {}",
                access(code)
            )
        }
        Cause::Hardware { vector, code } => {
            log::error!("    vector {vector}, error code {code:#x}")
        }
        Cause::BadSyscall | Cause::Policy => {}
    }
    registers(context);
    backtrace(process, context, cause);
}

fn name_of(object: &dyn KernelObject) -> ModuleName {
    ModuleName::new(&object.name().map(|name| name.get()).unwrap_or_default())
}

fn registers(context: &UserContext) {
    let r = &context.regs;
    let rows = [
        [
            ("rax", r.rax),
            ("rbx", r.rbx),
            ("rcx", r.rcx),
            ("rdx", r.rdx),
        ],
        [
            ("rsi", r.rsi),
            ("rdi", r.rdi),
            ("rbp", r.rbp),
            ("rsp", r.rsp),
        ],
        [("r8 ", r.r8), ("r9 ", r.r9), ("r10", r.r10), ("r11", r.r11)],
        [
            ("r12", r.r12),
            ("r13", r.r13),
            ("r14", r.r14),
            ("r15", r.r15),
        ],
    ];
    for [(a, av), (b, bv), (c, cv), (d, dv)] in rows {
        log::error!("    {a} {av:#018x} {b} {bv:#018x} {c} {cv:#018x} {d} {dv:#018x}");
    }
    log::error!(
        "    rip {:#018x} rflags {:#x} fs {:#x} gs {:#x}",
        r.rip,
        r.rflags,
        r.fs_base,
        r.gs_base
    );
}

fn backtrace(process: &Process, context: &UserContext, cause: Cause) {
    let r = &context.regs;
    let [pc, stack, frame] = [r.rip, r.rsp, r.rbp].map(|value| usize::try_from(value).unwrap_or(0));
    let space = process.space();
    // After a jump to nowhere, and in the vDSO, there is no frame yet, but the call has left its return address.
    let frameless = match cause {
        Cause::PageFault { addr, .. } => addr == pc,
        Cause::BadSyscall | Cause::Policy => true,
        Cause::Hardware { .. } => false,
    };
    let caller = frameless
        .then(|| space.word(stack))
        .flatten()
        .filter(|back| module_at(process, *back).is_some());
    let all = core::iter::once(pc)
        .chain(caller)
        .chain(callers(&**space, frame));
    for (depth, pc) in all.enumerate() {
        match module_at(process, pc) {
            Some(module) => log::error!(
                "    #{depth} {pc:#018x} {}+{:#x}",
                module.name.as_str(),
                pc - module.base
            ),
            None => log::error!("    #{depth} {pc:#018x}"),
        }
    }
}

/// The module of an address in mapped code: by the dynamic linker's list if there is one, or else by what is mapped.
fn module_at(process: &Process, pc: usize) -> Option<Module> {
    let space = process.space();
    let mut mapped = mapped_module(space, pc)?;
    if mapped.name.as_str().is_empty() {
        mapped.name = name_of(process);
    }
    // 1 means that a debugger wants to be told, and is no address.
    let listed = Some(process.debug_addr())
        .filter(|addr| *addr > 1)
        .and_then(|addr| module_in_link_map(&**space, addr, pc));
    match listed {
        // The list's first entry is the program, and has no name.
        Some(module) if module.base >= mapped.base => Some(Module {
            name: if module.name.as_str().is_empty() {
                mapped.name
            } else {
                module.name
            },
            ..module
        }),
        Some(_) | None => Some(mapped),
    }
}

/// The name of the VMO whose code is mapped at `pc`, and the lowest address in the same VMAR at which it is.
fn mapped_module(space: &AddressSpace, pc: usize) -> Option<Module> {
    let contains = |region: &RegionInfo| (region.base..region.base + region.len).contains(&pc);
    let mut vmar = space.base();
    let mut found = None;
    space.for_each(&mut |region| match &region.kind {
        RegionKind::Vmar if contains(region) => vmar = region.base,
        RegionKind::Mapping { vmo, perms, .. }
            if perms.contains(Perms::EXECUTE) && contains(region) =>
        {
            found = Some((vmo.base().koid(), name_of(&**vmo)));
        }
        RegionKind::Vmar | RegionKind::Mapping { .. } => {}
    });
    let (koid, name) = found?;
    let mut base = pc;
    space.for_each(&mut |region| {
        if let RegionKind::Mapping { vmo, .. } = &region.kind {
            if region.base >= vmar && vmo.base().koid() == koid {
                base = base.min(region.base);
            }
        }
    });
    Some(Module { name, base })
}

/// What was tried, from the page-fault error code (SDM volume 3, 4.7).
const fn access(code: u64) -> &'static str {
    match (code & 1 != 0, code & 2 != 0, code & 16 != 0) {
        (false, _, true) => "execute, nothing there",
        (true, _, true) => "execute, not permitted",
        (false, true, false) => "write, nothing there",
        (true, true, false) => "write, not permitted",
        (false, false, false) => "read, nothing there",
        (true, false, false) => "read, not permitted",
    }
}

const fn describe(cause: Cause) -> &'static str {
    match cause {
        Cause::PageFault { .. } => "fatal page fault",
        Cause::Hardware { vector: 0, .. } => "division error",
        Cause::Hardware { vector: 1, .. } => "hardware breakpoint",
        Cause::Hardware { vector: 3, .. } => "software breakpoint",
        Cause::Hardware { vector: 6, .. } => "undefined instruction",
        Cause::Hardware { vector: 13, .. } => "general protection fault",
        Cause::Hardware { vector: 17, .. } => "unaligned access",
        Cause::Hardware { .. } => "CPU exception",
        Cause::BadSyscall => "bad system call",
        Cause::Policy => "policy violation",
    }
}
